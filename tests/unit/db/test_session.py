"""Transactions mean the same on SQLite and PostgreSQL."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.exc import IntegrityError, InternalError, StatementError
from sqlalchemy.orm import Session

from core.errors import Conflict
from db.session import Database, make_engine, now
from db.states import Priority, Role
from db.tables import Job, User
from tests.testing import factories
from tests.testing.postgres import PostgresServer


def names(database: Database) -> list[str]:
    with database.read() as session:
        return list(session.scalars(select(User.name)))


def test_a_write_is_kept_when_its_block_ends(database: Database) -> None:
    with database.begin() as session:
        factories.user(session)
    assert names(database) == ["ada"]


def test_a_write_is_undone_when_its_block_fails(database: Database) -> None:
    def add_twice() -> None:
        with database.begin() as session:
            factories.user(session)
            factories.user(session)

    with pytest.raises(Conflict):
        add_twice()
    assert names(database) == []


def test_what_a_read_changes_is_not_kept(database: Database) -> None:
    with database.read() as session:
        factories.user(session)
        session.flush()
    assert names(database) == []


def test_rows_stay_readable_after_their_transaction(database: Database) -> None:
    with database.begin() as session:
        user = factories.user(session)
    assert user.name == "ada"


def test_a_row_that_points_nowhere_is_refused(database: Database) -> None:
    with pytest.raises(IntegrityError), database.begin() as session:
        session.add(Job(name="x", priority=Priority.BULK, user_id=404, created_at=now(session)))
    with database.read() as session:
        assert session.scalars(select(func.count()).select_from(Job)).one() == 0


def test_the_error_of_a_statement_does_not_tell_its_values(database: Database) -> None:
    with database.begin() as session:
        factories.user(session, "mueller")
    with pytest.raises(IntegrityError) as caught, database.begin() as session:
        session.add(User(name="mueller", role=Role.ADMIN, password_hash="secret", created_at=now(session)))
    assert "INSERT INTO users" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_time_comes_back_aware_and_in_utc(database: Database) -> None:
    noon_in_delhi = datetime(2026, 1, 2, 12, 0, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    with database.begin() as session:
        session.add(User(name="ada", role=Role.ADMIN, password_hash=None, created_at=noon_in_delhi))
    with database.read() as session:
        read = session.scalars(select(User.created_at)).one()
    assert read == noon_in_delhi
    assert read.utcoffset() == timedelta(0)


def test_a_time_without_a_zone_does_not_reach_the_database(database: Database) -> None:
    naive = datetime(2026, 1, 2)  # noqa: DTZ001  # the mistake this is about
    with pytest.raises(StatementError, match="without a zone"), database.begin() as session:
        session.add(User(name="ada", role=Role.ADMIN, password_hash=None, created_at=naive))
    assert names(database) == []


def test_now_is_the_time_and_goes_forward_within_a_transaction(database: Database) -> None:
    with database.read() as session:
        first, second = now(session), now(session)
    assert first.utcoffset() == timedelta(0)
    assert first <= second
    assert abs((datetime.now(UTC) - first).total_seconds()) < 60


def test_ids_are_never_used_again(database: Database) -> None:
    with database.begin() as session:
        first = factories.user(session)
        session.flush()
        session.delete(first)
    with database.begin() as session:
        assert factories.user(session).id > first.id


def test_writers_wait_for_each_other_instead_of_failing(database: Database) -> None:
    errors: list[Exception] = []

    def write(number: int) -> None:
        try:
            for turn in range(5):
                with database.begin() as session:
                    session.scalars(select(func.count()).select_from(User)).one()  # read, then write: the deadlock trap
                    factories.user(session, name=f"user-{number}-{turn}")
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=write, args=[number]) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(names(database)) == 20


def test_a_reader_does_not_wait_for_a_writer(database: Database) -> None:
    with database.begin() as session:
        factories.user(session)
        session.flush()
        assert names(database) == []


@pytest.fixture
def sqlite(tmp_path: Path) -> Database:
    return Database(f"sqlite:///{tmp_path / 'plain.db'}")


def pragma(session: Session, name: str) -> object:
    return session.execute(text(f"PRAGMA {name}")).scalar_one()


@pytest.mark.parametrize(("name", "value"), [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1)])
def test_sqlite_keeps_what_it_has_confirmed(sqlite: Database, name: str, value: object) -> None:
    with sqlite.read() as session:
        assert pragma(session, name) == value
    sqlite.dispose()


def test_a_bare_postgresql_url_means_psycopg_3() -> None:
    assert make_engine("postgresql://host/name").driver == "psycopg"
    assert make_engine("postgresql+psycopg://host/name").driver == "psycopg"


def _stop_in_the_middle(database: Database) -> None:
    with database.begin() as session:
        session.execute(update(User).values(name="eve"))
        time.sleep(0.5)
        session.scalars(select(User)).all()


def test_a_write_that_does_nothing_for_long_loses_its_locks_but_a_read_may_wait(
    postgresql: PostgresServer, migrated_postgresql: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with postgresql.database(migrated_postgresql) as url:
        patient = Database(url)  # on a busy machine the user's row alone may take longer than the limit below
        with patient.begin() as session:
            factories.user(session)
        patient.dispose()
        monkeypatch.setattr("db.session.WRITE_IDLE_S", 0.2)
        database = Database(url)
        with pytest.raises(InternalError, match="idle-in-transaction timeout"):
            _stop_in_the_middle(database)
        with database.read() as session:
            session.scalars(select(User)).all()
            time.sleep(0.5)
            assert session.scalars(select(User.name)).all() == ["ada"]
        database.dispose()
