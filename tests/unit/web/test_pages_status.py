"""The operator's page: what it calls wrong, and what it says to do."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
import redis

from db import workers
from db.queries import Backlog
from db.session import now
from db.states import ImageState
from tests.fakes import FAKE_SHA256
from tests.unit.web.conftest import AddJob
from tests.unit.web.visitor import Visitor
from web.pages.diagnosis import Problem, WorkerFacts, diagnose, pace
from web.services import Services

NOW = datetime(2026, 11, 23, 3, tzinfo=UTC)


def _worker(name: str = "gpu-1", silent_s: float = 1.0) -> WorkerFacts:
    silent = timedelta(seconds=silent_s)
    alive = silent_s < workers.ALIVE_S
    return WorkerFacts(name, "torch-cuda", "m", "a" * 64, silent, alive, batches=1, images=2, started_at=NOW)


def _backlog(queued: int = 0, running: int = 0, waited_s: float = 0, failed: int = 0, done: int = 0) -> Backlog:
    oldest = NOW - timedelta(seconds=waited_s) if queued else None
    return Backlog(queued, running, oldest, failed, done)


def _problems(backlog: Backlog, known: Sequence[WorkerFacts] = (_worker(),), *, broker: bool = True) -> list[Problem]:
    return diagnose(backlog, known, broker=broker, at=NOW)


@pytest.mark.parametrize(
    "backlog",
    [
        _backlog(),
        _backlog(queued=50_000, running=16, waited_s=1800, done=20_000),
        _backlog(queued=3, waited_s=5),
        _backlog(failed=2, done=3),
        _backlog(failed=40, done=20_000),
    ],
)
def test_all_is_well(backlog: Backlog) -> None:
    assert _problems(backlog) == []


def test_no_worker_at_all() -> None:
    (problem,) = _problems(_backlog(queued=12, waited_s=900), [])
    assert problem.kind == "error"
    assert problem.what == "No worker is alive."
    assert problem.todo == "12 images waiting are kept. Start one with: pneumoscreen worker"


def test_the_worker_that_went_last_is_named() -> None:
    (problem,) = _problems(_backlog(), [_worker("gpu-1", 4000), _worker("gpu-2", 300)])
    assert "The last one, gpu-2, was seen 5 minutes ago" in problem.todo


def test_one_of_two_workers_fell_silent() -> None:
    (problem,) = _problems(_backlog(), [_worker("gpu-1"), _worker("gpu-2", 180)])
    assert (problem.kind, problem.what) == ("warning", "Worker gpu-2 has been silent for 3 minutes.")


def test_a_worker_long_gone_is_no_news() -> None:
    assert _problems(_backlog(), [_worker("gpu-1"), _worker("gpu-2", 7200)]) == []


def test_a_broker_that_is_down_is_the_only_cause_named_for_what_waits() -> None:
    (problem,) = _problems(_backlog(queued=9, waited_s=900), broker=False)
    assert problem.what == "The broker does not answer."
    assert "PNEUMOSCREEN_REDIS_URL" in problem.todo


def test_images_wait_and_nothing_moves() -> None:
    (problem,) = _problems(_backlog(queued=9, waited_s=900))
    assert problem.kind == "error"
    assert problem.what == "The oldest queued image has waited for 15 minutes, and none is running."
    assert "pneumoscreen sweeper" in problem.todo


def test_a_backlog_of_hours_comes_with_a_forecast() -> None:
    (problem,) = _problems(_backlog(queued=60_000, running=16, waited_s=2 * 3600, done=20_000))
    assert (problem.kind, problem.what) == ("warning", "The oldest queued image has waited for 2 hours.")
    assert "about 3 hours" in problem.todo


def test_many_failures_are_told() -> None:
    (problem,) = _problems(_backlog(failed=10, done=90))
    assert problem.what == "10 of 100 images failed in the last hour."


def test_errors_come_before_warnings() -> None:
    problems = _problems(_backlog(failed=10, done=10), [_worker(), _worker("gpu-2", 60)], broker=False)
    assert [problem.kind for problem in problems] == ["error", "warning", "warning"]


def test_pace_without_a_finished_image_makes_no_forecast() -> None:
    assert pace(_backlog(queued=5), 1) == "1 worker is running; 5 images waiting."


def test_the_page_of_a_healthy_service(reader: Visitor, add_job: AddJob, worker: str) -> None:
    add_job(("a.png", 0.9), ("b.png", ImageState.FAILED))
    text = reader.get("/status").text
    assert "All is well. 1 worker is running and nothing waits." in text
    assert "gpu-1 Alive fake fake-brightness ffffffffffff" in text
    assert "Database Reachable SQLite Broker Reachable" in text
    assert "1 Done" not in text
    assert "Done in the last hour 1 " in text


def test_the_page_lists_a_silent_worker_for_a_day(reader: Visitor, services: Services, worker: str) -> None:
    with services.database.begin() as session:
        for name, hours in (("gpu-2", 5), ("gpu-3", 30)):
            at = now(session) - timedelta(hours=hours)
            workers.register(session, name=name, engine="fake", model_sha256=FAKE_SHA256, now=at)
    text = reader.get("/status").text
    assert "gpu-2 Silent" in text
    assert "5 hours ago" in text
    assert "gpu-3" not in text


def test_the_page_while_the_broker_is_down(
    reader: Visitor, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> bool:
        raise redis.ConnectionError("connection refused")

    monkeypatch.setattr(services.broker, "ping", refuse)
    text = reader.get("/status").text
    assert "The broker does not answer." in text
    assert "Broker Not reachable" in text
    assert "No worker has been seen in the last day." in text
