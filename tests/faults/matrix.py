"""One row of the fault matrix, and how a run of it goes: load, fault at a random moment, restoration, verdict."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from db.tables import Image
from tests.faults.load import Load
from tests.faults.profile import Profile
from tests.faults.stack import START_TIMEOUT_S, Stack
from tests.faults.verdict import Verdict, judge, judge_storage, stored, wait_until_final
from tests.testing.polling import wait_until

DATABASES = ("sqlite", "postgresql")


@dataclass
class Run:
    """What a row's functions work with."""

    stack: Stack
    rng: random.Random
    load: Load
    notes: dict[str, object] = field(default_factory=dict)
    """What `inject` tells `restore` and `check`."""

    @property
    def profile(self) -> Profile:
        return self.stack.kind.profile

    def order(self, point: str, action: str) -> None:
        """Let a process do `action` when it next reaches `point`; return when it has done so."""
        self.stack.orders.give(point, action)
        self.stack.orders.wait_until_taken(point, timeout_s=START_TIMEOUT_S)

    def wait_until(self, condition: Callable[[], object], what: str) -> None:
        wait_until(condition, timeout_s=START_TIMEOUT_S, what=what)  # long enough for a process to start

    def pause(self) -> None:
        """For as long as servers stay paused in this profile."""
        time.sleep(self.profile.pause_s)


def nothing(_run: Run) -> None:
    """Do nothing: for a fault that nobody has to repair."""


def no_problems(_run: Run, _rows: list[Image]) -> list[str]:
    return []


@dataclass(frozen=True)
class Row:
    """A fault and a moment. `inject` does the harm; `restore` puts right what a person would have to put right."""

    fault: str
    moment: str
    inject: Callable[[Run], None]
    restore: Callable[[Run], None] = nothing
    check: Callable[[Run, list[Image]], list[str]] = no_problems
    """What this row demands beyond the invariant; the sentences of what does not hold."""
    files: dict[str, bytes] = field(default_factory=dict)
    """Bad images sent among the good ones…"""
    fails: dict[str, str] = field(default_factory=dict)
    """…and the error code with which each has to end."""
    databases: tuple[str, ...] = DATABASES
    short_on: str = ""
    """The database of its short pass; default: the first of `databases`."""

    @property
    def name(self) -> str:
        return f"{self.fault}, {self.moment}"


def run_row(row: Row, stack: Stack, seed: int) -> Verdict:
    """One run. Raises AssertionError when the row itself could not be carried out."""
    rng = random.Random(seed)
    run = Run(stack, rng, Load(stack, f"{seed:x}", row.files))
    verdict = Verdict()
    run.load.start()
    try:
        assert run.load.started.wait(60), "the client got no answer to its first request"
        time.sleep(rng.uniform(0, run.profile.spread_s))
        row.inject(run)
        row.restore(run)
        _wait_for_recovery(row, run, verdict)
    finally:
        run.load.over.set()
        run.load.join(timeout=180)
    assert not run.load.is_alive(), "the client waits for an answer that does not come"
    _settle_accounts(run, verdict)
    rows = judge(stack, run.load.ledger, {run.load.full_name(name): code for name, code in row.fails.items()}, verdict)
    judge_storage(stack, verdict)
    verdict.problems += row.check(run, rows)
    return verdict


def _wait_for_recovery(row: Row, run: Run, verdict: Verdict) -> None:
    """Wait from the moment at which all servers are back until every good image accepted before it has ended."""
    bad = {run.load.full_name(name) for name in row.fails}
    good = {image_id for name, image_id in list(run.load.ledger.accepted.items()) if name not in bad}
    taken = wait_until_final(run.stack, good, timeout_s=run.profile.patience_s)
    verdict.recovery_s = run.profile.patience_s if taken is None else taken


def _settle_accounts(run: Run, verdict: Verdict) -> None:
    """Refused files have no rows; files without an answer are sent again; then all images have to end."""
    ledger = run.load.ledger
    refused = stored(run.stack, ledger.refused)
    if refused:
        verdict.problems.append(f"{len(refused)} refused files have rows: {[ledger.refused[name] for name in refused]}")
    run.stack.settle()
    run.load.send_again()
    ledger.accepted |= stored(run.stack, ledger.unanswered)  # stored, and only the answer was lost
    wait_until_final(run.stack, set(ledger.accepted.values()), timeout_s=run.profile.patience_s)
