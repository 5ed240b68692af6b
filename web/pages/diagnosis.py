"""What is wrong with the service, from its figures alone, worst first. No Flask and no database here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from db.queries import Backlog
from web.pages.words import counted, duration, is_are

STUCK = timedelta(minutes=2)
"""Longer than a worker needs to take an image of an empty queue, whatever it runs on."""

SLOW = timedelta(hours=1)

JUST_GONE = timedelta(hours=1)
"""A worker silent for longer was probably taken away on purpose; the table still lists it for a day."""

MANY_FAILURES = 3
FAILURE_SHARE = 0.05


@dataclass(frozen=True, slots=True)
class WorkerFacts:
    name: str
    engine: str
    model: str
    sha256: str
    silent_for: timedelta
    alive: bool
    batches: int
    images: int
    started_at: datetime

    @property
    def seen(self) -> str:
        return duration(self.silent_for)


@dataclass(frozen=True, slots=True)
class Problem:
    """`kind` is `error` (nothing is screened) or `warning`."""

    kind: str
    what: str
    todo: str


def diagnose(backlog: Backlog, workers: Sequence[WorkerFacts], *, broker: bool, at: datetime) -> list[Problem]:
    """What an operator has to know, worst first; empty if all is well."""
    found: list[Problem] = []
    if not broker:
        found.append(
            Problem(
                "error",
                "The broker does not answer.",
                "Uploads are still taken and kept, but no worker is woken. Start Redis or Valkey, or correct "
                "PNEUMOSCREEN_REDIS_URL; what waits is picked up by itself.",
            )
        )
    alive = [worker for worker in workers if worker.alive]
    if not alive:
        found.append(_no_worker(backlog, workers))
    found += [_silent(w) for w in workers if alive and not w.alive and w.silent_for < JUST_GONE]
    if alive and broker:
        found += _waiting(backlog, at)
    found += _failing(backlog)
    return sorted(found, key=lambda problem: problem.kind != "error")


def pace(backlog: Backlog, alive: int) -> str:
    """How busy the service is, in one sentence."""
    working = f"{counted(alive, 'worker')} {is_are(alive)} running"
    if not backlog.queued:
        return f"{working} and nothing waits."
    return f"{working}; {counted(backlog.queued, 'image')} waiting. {_forecast(backlog)}".strip()


def _forecast(backlog: Backlog) -> str:
    if not backlog.done_last_hour:
        return ""
    left = duration(timedelta(hours=backlog.queued / backlog.done_last_hour))
    return f"At the pace of the last hour ({backlog.done_last_hour:,} images) that takes about {left}."


def _no_worker(backlog: Backlog, workers: Sequence[WorkerFacts]) -> Problem:
    last = min(workers, key=lambda worker: worker.silent_for, default=None)
    seen = f"The last one, {last.name}, was seen {last.seen} ago: its log says why it stopped. " if last else ""
    kept = f"{counted(backlog.queued, 'image')} waiting {is_are(backlog.queued)} kept. " if backlog.queued else ""
    return Problem("error", "No worker is alive.", f"{seen}{kept}Start one with: pneumoscreen worker")


def _silent(worker: WorkerFacts) -> Problem:
    return Problem(
        "warning",
        f"Worker {worker.name} has been silent for {worker.seen}.",
        "Its images went back to the queue. Look at its log and start it again, unless you took it away.",
    )


def _waiting(backlog: Backlog, at: datetime) -> list[Problem]:
    waited = at - (backlog.oldest_queued_at or at)
    what = f"The oldest queued image has waited for {duration(waited)}"
    if waited > STUCK and not backlog.running:
        todo = "Is the sweeper running? Start it with: pneumoscreen sweeper. Then look at the workers' logs."
        return [Problem("error", f"{what}, and none is running.", todo)]
    if waited > SLOW:
        return [Problem("warning", f"{what}.", f"{_forecast(backlog)} Add workers if that is too slow.".strip())]
    return []


def _failing(backlog: Backlog) -> list[Problem]:
    finished = backlog.done_last_hour + backlog.failed_last_hour
    if backlog.failed_last_hour < MANY_FAILURES or backlog.failed_last_hour < FAILURE_SHARE * finished:
        return []
    return [
        Problem(
            "warning",
            f"{backlog.failed_last_hour:,} of {counted(finished, 'image')} failed in the last hour.",
            "See them under History, state “failed”: each says why. One reason on all points to one cause.",
        )
    ]
