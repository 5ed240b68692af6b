"""The sweeper publishes what was never published, takes back what was lost, and leaves everything else alone."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import fakeredis
import pytest
from celery import Celery
from pydantic import SecretStr
from sqlalchemy import update
from sqlalchemy.exc import OperationalError

from core.queue import QUEUES, make_celery
from db import claims, workers
from db.session import now
from db.states import Priority
from db.tables import Image
from tests.testing import factories
from tests.testing.fakes import FAKE_SHA256
from tests.testing.settings import change
from tests.unit.worker.conftest import Submit, pngs, rows, states
from web.backends import Backends
from worker import sweeper as module
from worker.sweeper import Sweeper, Swept


class Published:
    """The Celery side of a broker: `take` gives what lies in its queues."""

    def __init__(self, celery: Celery) -> None:
        self.celery = celery

    def take(self) -> list[tuple[str, list[int]]]:
        messages: list[tuple[str, list[int]]] = []
        with self.celery.connection_for_read() as connection:
            for name in QUEUES:
                with connection.SimpleQueue(name) as queue:
                    while queue.qsize():
                        message = queue.get_nowait()
                        message.ack()
                        messages.append((name, json.loads(message.body)[0][0]))
        return messages


@pytest.fixture
def published(backends: Backends) -> Iterator[Published]:
    published = Published(backends.celery)
    published.take()  # the in-memory broker outlives a test
    yield published
    published.take()


@pytest.fixture
def sweeper(backends: Backends, published: Published) -> Sweeper:
    return Sweeper(backends.settings, backends.database, backends.celery, backends.broker)


def age(backends: Backends, seconds: float = 60) -> None:
    """Make every time in the images table that much older."""
    with backends.database.begin() as session:
        connection = session.connection()
        for column in ("created_at", "published_at", "lease_expires_at"):
            shifted = f"strftime('%Y-%m-%d %H:%M:%f000', {column}, '{-seconds:+} seconds')"
            connection.exec_driver_sql(f"UPDATE images SET {column} = {shifted} WHERE {column} IS NOT NULL")


def claim(backends: Backends, worker: str = "gone") -> None:
    with backends.database.begin() as session:
        claims.claim(session, worker=worker, limit=100, lease_s=8, now=now(session))


def unpublished(backends: Backends) -> list[int]:
    return [row.id for row in rows(backends) if row.published_at is None]


def test_an_image_that_was_never_published_is_after_the_grace(
    backends: Backends, submit: Submit, sweeper: Sweeper, published: Published
) -> None:
    queued = submit(*(factories.png(seed) for seed in range(6)))
    age(backends)
    assert sweeper.sweep() == Swept(requeued=0, failed=0, published=6)
    assert published.take() == [("bulk", queued[:4]), ("bulk", queued[4:])]
    assert unpublished(backends) == []


def test_a_young_image_is_left_to_who_queued_it(submit: Submit, sweeper: Sweeper, published: Published) -> None:
    submit(b"x")
    assert sweeper.sweep() == Swept(0, 0, 0)
    assert published.take() == []


def test_each_image_is_published_on_the_queue_of_its_priority(
    backends: Backends, submit: Submit, sweeper: Sweeper, published: Published
) -> None:
    bulk, urgent = submit(b"x"), submit(b"y", priority=Priority.INTERACTIVE)
    age(backends)
    sweeper.sweep()
    assert published.take() == [("interactive", urgent), ("bulk", bulk)]


def test_the_images_of_a_dead_worker_are_queued_again_and_published_at_once(
    backends: Backends, submit: Submit, sweeper: Sweeper, published: Published
) -> None:
    queued = submit(b"x", b"y")
    claim(backends)
    age(backends)
    assert sweeper.sweep() == Swept(requeued=2, failed=0, published=2)
    assert published.take() == [("bulk", queued)]


def test_an_image_that_took_three_workers_down_fails(backends: Backends, submit: Submit, sweeper: Sweeper) -> None:
    submit(b"x")
    swept: list[Swept] = []
    for _ in range(3):
        claim(backends)
        age(backends)
        swept.append(sweeper.sweep())
    assert [(one.requeued, one.failed) for one in swept] == [(1, 0), (1, 0), (0, 1)]
    assert states(backends) == ["failed"]


def publish(backends: Backends, ids: Sequence[int]) -> None:
    with backends.database.begin() as session:
        session.execute(update(Image).where(Image.id.in_(ids)).values(published_at=now(session)))
    age(backends)


def test_a_message_that_the_broker_lost_is_sent_again(
    backends: Backends, submit: Submit, sweeper: Sweeper, published: Published
) -> None:
    queued = submit(b"x")
    publish(backends, queued)
    assert sweeper.sweep().published == 1
    assert published.take() == [("bulk", queued)]


def test_as_long_as_messages_wait_in_the_broker_none_is_taken_for_lost(
    backends: Backends, submit: Submit, sweeper: Sweeper, published: Published
) -> None:
    publish(backends, submit(b"x"))
    backends.broker.rpush("bulk", "somebody else's message")
    assert sweeper.sweep().published == 0
    assert published.take() == []


def test_what_was_published_just_now_is_not_lost_yet(backends: Backends, submit: Submit, sweeper: Sweeper) -> None:
    publish(backends, submit(b"x"))
    assert [sweeper.sweep().published, sweeper.sweep().published] == [1, 0]


def test_a_broker_that_does_not_answer_leaves_the_rows_to_the_next_sweep(
    backends: Backends, submit: Submit, published: Published
) -> None:
    queued = submit(b"x")
    age(backends)
    server = fakeredis.FakeServer()
    server.connected = False
    away = Sweeper(backends.settings, backends.database, backends.celery, fakeredis.FakeRedis(server=server))
    assert away.sweep().published == 0
    assert unpublished(backends) == queued


def test_a_broker_that_dies_before_the_message_leaves_the_rows_to_the_next_sweep(
    backends: Backends, submit: Submit, published: Published, tmp_path: Path
) -> None:
    queued = submit(b"x", b"y")
    age(backends)
    dead = change(backends.settings, redis_url=SecretStr(f"redis+socket://{tmp_path}/absent.sock"))
    dying = Sweeper(backends.settings, backends.database, make_celery(dead), backends.broker)
    assert dying.sweep().published == 0
    assert unpublished(backends) == queued


def test_leases_are_taken_back_even_while_the_broker_is_away(backends: Backends, submit: Submit) -> None:
    submit(b"x")
    claim(backends)
    age(backends)
    server = fakeredis.FakeServer()
    server.connected = False
    away = Sweeper(backends.settings, backends.database, backends.celery, fakeredis.FakeRedis(server=server))
    assert away.sweep() == Swept(requeued=1, failed=0, published=0)


def test_two_sweepers_at_once_publish_each_image(backends: Backends, submit: Submit, published: Published) -> None:
    queued = submit(*(bytes([number]) for number in range(20)))
    age(backends)
    together = threading.Barrier(2)
    swept: list[Swept] = []

    def sweep() -> None:
        own = Sweeper(backends.settings, backends.database, backends.celery, backends.broker)
        together.wait()
        swept.append(own.sweep())

    threads = [threading.Thread(target=sweep) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(one.published for one in swept) == 20
    assert sorted(image_id for _, ids in published.take() for image_id in ids) == queued


def test_a_worker_that_vanished_a_day_ago_is_forgotten(backends: Backends, sweeper: Sweeper) -> None:
    with backends.database.begin() as session:
        workers.register(session, name="old", engine="fake", model_sha256=FAKE_SHA256, now=now(session))
        session.flush()
        session.connection().exec_driver_sql("UPDATE workers SET seen_at = '2000-01-01'")
    sweeper.sweep()
    with backends.database.read() as session:
        assert session.connection().exec_driver_sql("SELECT count(*) FROM workers").scalar() == 0


def test_the_process_outlives_a_database_outage_and_ends_on_sigterm(
    backends: Backends, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[int] = []

    def sweep(_sweeper: Sweeper) -> Swept:
        tries.append(1)
        if len(tries) == 1:
            raise OperationalError("BEGIN", {}, Exception("connection refused"))
        os.kill(os.getpid(), signal.SIGTERM)
        return Swept(0, 0, 0)

    run(backends, monkeypatch, sweep)
    assert len(tries) == 2


@pytest.mark.parametrize("nth", range(1, 16))
def test_sigterm_at_any_moment_of_the_pause_ends_the_process(
    backends: Backends, monkeypatch: pytest.MonkeyPatch, nth: int
) -> None:
    moments = 0

    def terminate(*_: object) -> None:
        nonlocal moments
        moments += 1
        if moments == nth:
            os.kill(os.getpid(), signal.SIGTERM)

    def sweep(_sweeper: Sweeper) -> Swept:
        sys.setprofile(terminate)  # called at every call and return in this thread from here on
        return Swept(0, 0, 0)

    try:
        run(backends, monkeypatch, sweep)
    finally:
        sys.setprofile(None)
    assert moments >= nth


def run(backends: Backends, monkeypatch: pytest.MonkeyPatch, sweep: Callable[[Sweeper], Swept]) -> None:
    """The sweeper's process, in this one, until it ends."""
    monkeypatch.setattr(Sweeper, "sweep", sweep)
    monkeypatch.setattr("worker.sweeper.logs.configure", lambda *_: None)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        module.run(change(backends.settings, sweep_interval_s=0.01))
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def test_a_clock_that_was_set_back_leaves_no_image_waiting_for_the_old_time(
    backends: Backends, submit: Submit, sweeper: Sweeper
) -> None:
    submit(*pngs(2))
    claim(backends)
    age(backends, -3600)  # as if they had been written an hour ahead of now
    sweeper.sweep()
    age(backends, backends.settings.worker.lease_s + 1)
    assert sweeper.sweep().requeued == 2
    assert states(backends) == ["queued", "queued"]


def test_images_are_published_although_the_clock_was_set_back(
    backends: Backends, submit: Submit, sweeper: Sweeper, published: Published
) -> None:
    ids = submit(*pngs(2))
    age(backends, -3600)
    assert sweeper.sweep().published == 2
    assert published.take() == [("bulk", ids)]
    age(backends, -3600)  # and once more, for the messages that the broker lost
    assert sweeper.sweep().published == 2
