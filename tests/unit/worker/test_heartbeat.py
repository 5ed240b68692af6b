"""While a long forward pass holds the worker, its leases and its sign of life are renewed beside it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
import structlog
from sqlalchemy.exc import OperationalError

from db import leases, workers
from db.session import Database, now
from tests.testing.fakes import FAKE_SHA256, FakeEngine, fake_model
from tests.testing.polling import wait_until
from tests.testing.settings import change
from tests.unit.worker.conftest import Submit, pngs, rows, states
from web.backends import Backends
from worker.heartbeat import Heartbeat
from worker.pipeline import Pipeline


class Flaky(Database):
    """A database that fails the next `failures` transactions."""

    failures = 0
    failed = 0

    def begin(self) -> Any:
        if self.failures:
            self.failures -= 1
            self.failed += 1
            raise OperationalError("BEGIN", {}, Exception("connection refused"))
        return super().begin()


@pytest.fixture
def flaky(backends: Backends) -> Iterator[Flaky]:
    database = Flaky(backends.settings.storage.database)
    with database.begin() as session:
        workers.register(session, name="w1", engine="fake", model_sha256=FAKE_SHA256, now=now(session))
    yield database
    database.dispose()


@pytest.fixture
def gate() -> threading.Event:
    return threading.Event()


@pytest.fixture
def held(backends: Backends, flaky: Flaky, gate: threading.Event) -> Iterator[Pipeline]:
    """A worker with short leases whose forward pass lasts until the gate opens."""
    settings = change(backends.settings, lease_s=2.0, heartbeat_s=0.05)
    pipeline = Pipeline(settings, flaky, backends.store, lambda: fake_model(FakeEngine(gate=gate)), "w1")
    yield pipeline
    pipeline.close()


@pytest.fixture
def heartbeat(backends: Backends, flaky: Flaky, held: Pipeline) -> Iterator[Heartbeat]:
    held.load_model()
    heartbeat = Heartbeat(change(backends.settings, heartbeat_s=0.02), flaky, held)
    yield heartbeat
    heartbeat.stop()


def requeue_expired(backends: Backends) -> tuple[int, int]:
    with backends.database.begin() as session:
        requeued, failed = leases.requeue_expired(session, max_attempts=3, now=now(session))
    return len(requeued), len(failed)


def test_a_forward_pass_longer_than_its_lease_loses_nothing(
    backends: Backends, submit: Submit, held: Pipeline, heartbeat: Heartbeat, gate: threading.Event
) -> None:
    submit(*pngs(3))
    heartbeat.start()
    thread = threading.Thread(target=held.drain)
    thread.start()
    wait_until(lambda: states(backends) == ["running"] * 3)
    first = rows(backends)[0].lease_expires_at
    assert first is not None
    wait_until(lambda: now_of(backends) > first)  # the lease of the claim is over
    assert requeue_expired(backends) == (0, 0)
    gate.set()
    thread.join()
    assert states(backends) == ["done"] * 3


def now_of(backends: Backends) -> datetime:
    with backends.database.read() as session:
        return now(session)


def test_without_a_heartbeat_the_lease_runs_out(
    backends: Backends, submit: Submit, held: Pipeline, gate: threading.Event
) -> None:
    submit(*pngs(1))
    thread = threading.Thread(target=held.drain)
    thread.start()
    wait_until(lambda: requeue_expired(backends) == (1, 0))
    gate.set()
    thread.join()
    assert states(backends) == ["queued"]


def test_a_beat_tells_what_the_worker_has_done(
    backends: Backends, submit: Submit, held: Pipeline, heartbeat: Heartbeat, gate: threading.Event
) -> None:
    gate.set()
    submit(*pngs(5))
    held.drain()
    heartbeat.beat()
    with backends.database.read() as session:
        (worker,) = workers.alive(session, now(session))
    assert (worker.name, worker.batches, worker.images) == ("w1", 2, 5)


def test_a_database_that_does_not_answer_costs_a_beat_and_not_the_heartbeat(
    backends: Backends, flaky: Flaky, heartbeat: Heartbeat
) -> None:
    flaky.failures = 3
    heartbeat.start()
    wait_until(lambda: flaky.failed == 3)
    with backends.database.begin() as session:
        session.connection().exec_driver_sql("UPDATE workers SET seen_at = '2000-01-01'")

    def alive() -> bool:
        with backends.database.read() as session:
            return bool(workers.alive(session, now(session)))

    wait_until(alive)


def test_a_missed_beat_is_logged(flaky: Flaky, heartbeat: Heartbeat) -> None:
    with structlog.testing.capture_logs() as events:
        flaky.failures = 1
        heartbeat.start()
        wait_until(lambda: events)
    assert (events[0]["event"], events[0]["error"]) == ("heartbeat_missed", "OperationalError")


def test_stop_ends_the_thread_and_may_come_before_start(heartbeat: Heartbeat) -> None:
    heartbeat.stop()
    heartbeat.start()
    heartbeat.stop()
    assert "heartbeat" not in {thread.name for thread in threading.enumerate()}


def test_a_worker_that_was_forgotten_is_listed_again(heartbeat: Heartbeat, flaky: Flaky) -> None:
    """It slept for hours, or the database's clock jumped: its row is gone, and it lives."""
    with flaky.begin() as session:
        workers.forget(session, now(session) + timedelta(hours=2))
        assert not workers.alive(session, now(session))
    heartbeat.beat()
    with flaky.read() as session:
        assert [worker.name for worker in workers.alive(session, now(session))] == ["w1"]
