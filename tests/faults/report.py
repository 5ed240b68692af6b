"""The runs of the matrix as lines of a table."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from tests.faults.profile import Profile
from tests.faults.verdict import Verdict
from tests.testing.paths import REPOSITORY

DOCUMENT = REPOSITORY / "docs" / "reliability.md"

COLUMNS = ("fault", "moment", "runs", "images", "lost", "duplicated", "recovery median", "worst")


@dataclass
class Outcome:
    """One run."""

    fault: str
    moment: str
    database: str
    seed: int
    verdict: Verdict = field(default_factory=Verdict)
    log: str = ""
    """The ends of the processes' logs, if the run broke the invariant."""

    def line(self) -> str:
        how = "; ".join(self.verdict.problems) or "ok"
        return (
            f"{self.fault}, {self.moment} [{self.database}, seed {self.seed}]: {self.verdict.images} images,"
            f" recovery {self.verdict.recovery_s:.1f} s: {how}"
        )


@dataclass(frozen=True, slots=True)
class Line:
    """A row of the table: all runs of one fault at one moment, on both databases."""

    fault: str
    moment: str
    runs: int
    images: int
    lost: int
    duplicated: int
    broken_runs: int
    recovery_median_s: float
    recovery_worst_s: float


def summarize(outcomes: Sequence[Outcome], order: Iterable[tuple[str, str]]) -> list[Line]:
    """Lines in the order of the rows; one that never ran has zero runs."""
    return [
        _line(fault, moment, [o for o in outcomes if (o.fault, o.moment) == (fault, moment)]) for fault, moment in order
    ]


def _line(fault: str, moment: str, outcomes: Sequence[Outcome]) -> Line:
    verdicts = [outcome.verdict for outcome in outcomes]
    recovery_s = [verdict.recovery_s for verdict in verdicts] or [0.0]
    return Line(
        fault,
        moment,
        len(verdicts),
        sum(verdict.images for verdict in verdicts),
        sum(verdict.lost for verdict in verdicts),
        sum(verdict.duplicated for verdict in verdicts),
        sum(bool(verdict.problems) for verdict in verdicts),
        statistics.median(recovery_s),
        max(recovery_s),
    )


def as_table(lines: Iterable[Line]) -> str:
    """Markdown. A run that broke the invariant in any other way is named behind its row."""
    head = f"| {' | '.join(COLUMNS)} |\n{'|---' * len(COLUMNS)}|"
    return "\n".join([head, *map(_as_row, lines)])


def _as_row(line: Line) -> str:
    if not line.runs:
        return f"| {line.fault} | {line.moment} | not run | | | | | |"
    broken = f" (**{line.broken_runs} broken**)" if line.broken_runs else ""
    return (
        f"| {line.fault} | {line.moment} | {line.runs}{broken} | {line.images} | {line.lost} | {line.duplicated}"
        f" | {line.recovery_median_s:.1f} s | {line.recovery_worst_s:.1f} s |"
    )


def caption(outcomes: Sequence[Outcome], profile: Profile, *, real_model: bool) -> str:
    """What the figures of a pass depend on, as a sentence."""
    databases = " and ".join(sorted({outcome.database for outcome in outcomes}))
    network = "the shipped network" if real_model else f"a fake network that takes {profile.forward_s:g} s a batch"
    return (
        f"{len(outcomes)} runs on {databases}: lease {profile.lease_s:g} s, pauses {profile.pause_s:g} s,"
        f" at least {profile.images} images a run in batches of {profile.batch_size}, {network}."
    )
