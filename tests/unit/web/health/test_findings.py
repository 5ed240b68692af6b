"""What the figures are read as."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from core.settings import Settings
from db.backlog import Backlog
from web.health.codes import Code, Severity
from web.health.facts import Facts, Rows, WorkerFacts
from web.health.findings import Finding, find, pace

NOW = datetime(2026, 11, 23, 3, tzinfo=UTC)
MODEL = "a" * 64


def worker(name: str = "gpu-1", silent_s: float = 1.0, *, ran_s: float = 3600, model: str = MODEL) -> WorkerFacts:
    seen_at = NOW - timedelta(seconds=silent_s)
    began_at = seen_at - timedelta(seconds=ran_s)
    return WorkerFacts(name, "torch-cuda", "m", model, NOW - seen_at, silent_s < 10, 1, 2, began_at, seen_at)


def backlog(queued: int = 0, running: int = 0, waited_s: float = 0, failed: int = 0, done: int = 0) -> Backlog:
    return Backlog(queued, running, NOW - timedelta(seconds=waited_s) if queued else None, failed, done)


def findings(
    waiting: Backlog, workers: Sequence[WorkerFacts] = (worker(),), *, broker: bool = True, per_s: float | None = None
) -> list[Finding]:
    rows = Rows(NOW, waiting, workers, NOW, per_s, MODEL, None)
    return find(Facts(Settings(), rows, broker, None, None, has_checkpoint=True))


@pytest.mark.parametrize(
    "waiting",
    [
        backlog(),
        backlog(queued=50_000, running=16, waited_s=1800, done=20_000),
        backlog(queued=3, waited_s=5),
        backlog(failed=2, done=3),
        backlog(failed=40, done=20_000),
    ],
)
def test_all_is_well(waiting: Backlog) -> None:
    assert findings(waiting) == []


def test_the_worker_that_went_last_is_named() -> None:
    (finding,) = findings(backlog(queued=12), [worker("gpu-1", 3400), worker("gpu-2", 300)])
    assert finding.code is Code.NO_WORKER
    assert "12 images waiting. The last worker, gpu-2, was seen 5 minutes ago" in finding.todo


@pytest.mark.parametrize(
    ("workers", "codes"),
    [
        ([worker("a:1"), worker("b:1", 60)], [Code.WORKERS_GONE]),
        ([worker("a:1"), worker("a:2", 60)], []),
        ([worker("a:2", ran_s=30), worker("b:1", 60)], []),
        ([worker("a:1"), worker("c:1", ran_s=30), worker("b:1", 60)], []),
        ([worker("a:1"), worker("b:1", 700)], []),
    ],
    ids=["gone", "its host has another", "replaced", "replaced beside another", "long ago"],
)
def test_fewer_workers_than_a_moment_ago(workers: Sequence[WorkerFacts], codes: list[Code]) -> None:
    assert [finding.code for finding in findings(backlog(queued=5), workers)] == codes


def test_what_explains_the_waiting_is_the_only_cause_named() -> None:
    (finding,) = findings(backlog(queued=9, waited_s=900), broker=False)
    assert finding.code is Code.BROKER_DOWN
    assert "PNEUMOSCREEN_REDIS_URL" in finding.todo


def test_images_wait_and_nothing_moves() -> None:
    (finding,) = findings(backlog(queued=9, waited_s=900))
    assert finding.what == "The oldest queued image has waited for 15 minutes, and none is running."


def test_a_long_wait_comes_with_a_forecast() -> None:
    (finding,) = findings(backlog(queued=60_000, running=16, waited_s=2 * 3600), per_s=50)
    assert (finding.severity, finding.what) == (Severity.WARNING, "The oldest queued image has waited for 2 hours.")
    assert "about 20 minutes" in finding.todo


def test_errors_come_before_warnings() -> None:
    problems = findings(backlog(failed=10, done=10), [worker(), worker(model="b" * 64)], broker=False)
    assert [finding.severity for finding in problems] == [Severity.ERROR, Severity.WARNING, Severity.WARNING]


def test_without_a_finished_image_there_is_no_forecast() -> None:
    assert (
        pace(Rows(NOW, backlog(queued=5), [worker()], NOW, None, MODEL, None))
        == "1 worker is running; 5 images waiting."
    )
