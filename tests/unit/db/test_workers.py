"""Which workers live, and with which model."""

from __future__ import annotations

import threading
import time
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from db import workers
from db.session import Database, now
from db.tables import Model, Worker
from tests.testing import factories
from tests.testing.fakes import FAKE_SHA256


def register(session: Session, name: str, at: datetime, model_sha256: str = FAKE_SHA256) -> None:
    workers.register(session, name=name, engine="fake", model_sha256=model_sha256, now=at)


def names(session: Session, at: datetime) -> list[str]:
    return [worker.name for worker in workers.alive(session, at)]


def test_a_registered_worker_is_alive_until_it_is_silent_for_ten_seconds(database: Database) -> None:
    with database.begin() as session:
        factories.model(session)
        at = now(session)
        register(session, "b", at)
        register(session, "a", at)
        session.flush()
        assert names(session, at + timedelta(seconds=9)) == ["a", "b"]
        assert names(session, at + timedelta(seconds=10)) == []


def test_a_beat_keeps_a_worker_alive_and_counts_its_work(database: Database) -> None:
    with database.begin() as session:
        factories.model(session)
        at = now(session)
        register(session, "a", at)
        session.flush()
        later = at + timedelta(seconds=60)
        workers.beat(session, name="a", batches=3, images=40, now=later)
        (worker,) = workers.alive(session, later)
        assert (worker.batches, worker.images) == (3, 40)


def test_a_worker_that_switches_its_model_keeps_its_row(database: Database) -> None:
    with database.begin() as session:
        factories.model(session)
        other = factories.model(session, "e" * 64, "other")
        register(session, "a", now(session))
        session.flush()
        register(session, "a", now(session), other)
        session.flush()
        (worker,) = workers.alive(session, now(session))
        assert worker.model_sha256 == other


def test_a_worker_that_leaves_is_gone_at_once(database: Database) -> None:
    with database.begin() as session:
        factories.model(session)
        register(session, "a", now(session))
        register(session, "b", now(session))
        session.flush()
        workers.leave(session, name="a")
        assert names(session, now(session)) == ["b"]


def test_a_worker_silent_for_an_hour_is_forgotten(database: Database) -> None:
    with database.begin() as session:
        factories.model(session)
        at = now(session)
        register(session, "old", at - timedelta(minutes=61))
        register(session, "recent", at - timedelta(minutes=59))
        session.flush()
        workers.forget(session, at)
        assert session.scalars(select(Worker.name)).all() == ["recent"]


def test_a_model_is_noted_once_with_its_first_card(database: Database) -> None:
    with database.begin() as session:
        for card in ({"threshold": 0.5}, {"threshold": 0.9}):
            workers.register_model(session, sha256=FAKE_SHA256, name="m", card=card, now=now(session))
        assert session.scalars(select(Model.card)).all() == [{"threshold": 0.5}]


def test_a_worker_cannot_hold_a_model_that_was_never_noted(database: Database) -> None:
    with pytest.raises(IntegrityError), database.begin() as session:
        register(session, "a", now(session))
    with database.read() as session:
        assert session.scalars(select(Worker)).all() == []


def test_two_workers_that_note_the_same_new_model_at_once_both_go_on(database: Database) -> None:
    if database.engine.dialect.name == "sqlite":
        pytest.skip("SQLite has one writer at a time")
    with database.begin() as second:
        with database.begin() as first:
            factories.model(first)
            other = threading.Thread(target=factories.model, args=[second])  # waits for what the first will do
            other.start()
            time.sleep(0.2)
        other.join()
    with database.read() as session:
        assert session.scalars(select(Model.sha256)).all() == [FAKE_SHA256]
