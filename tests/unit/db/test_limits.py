"""No statement outlasts its limit, whether the server works, is frozen, or cannot be reached."""

from __future__ import annotations

import time
from collections.abc import Iterator

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from db import limits
from db.limits import within
from db.session import Database
from tests.testing.frozen_link import Link, link
from tests.testing.postgres import PostgresServer

GENEROUS_S = 60.0
"""A statement that ends within this did not wait for TCP, which takes more than a minute."""


@pytest.fixture
def database(postgresql: PostgresServer) -> Iterator[Database]:
    with postgresql.database() as url:
        database = Database(url)
        yield database
        database.dispose()


def shown(database: Database, name: str, *, writes: bool = False) -> str:
    with database.begin() if writes else database.read() as session:
        return str(session.scalars(text(f"SHOW {name}")).one())


def test_a_statement_that_takes_too_long_is_ended_and_the_connection_goes_on(database: Database) -> None:
    started_at_s = time.monotonic()
    with within(0.2), database.read() as session, pytest.raises(OperationalError, match="statement timeout"):
        session.execute(text("SELECT pg_sleep(600)"))
    assert time.monotonic() - started_at_s < GENEROUS_S
    assert shown(database, "server_version")


@pytest.mark.parametrize("writes", [False, True])
def test_a_transaction_has_the_limit_of_its_block(database: Database, writes: bool) -> None:
    assert shown(database, "statement_timeout", writes=writes) == "20s"
    with within(None):
        assert shown(database, "statement_timeout", writes=writes) == "0"
    with within(3):
        assert shown(database, "statement_timeout", writes=writes) == "3s"
    assert shown(database, "statement_timeout", writes=writes) == "20s"


def test_what_the_url_says_wins(monkeypatch: pytest.MonkeyPatch, postgresql: PostgresServer) -> None:
    given: dict[str, object] = {}
    connect = psycopg.Connection.connect.__func__  # type: ignore[attr-defined]

    def noting(*arguments: str, **options: object) -> object:
        given.update(options)
        return connect(limits.LimitedConnection, *arguments, **options)

    monkeypatch.setattr(limits.LimitedConnection, "connect", noting)
    with postgresql.database() as url:
        database = Database(f"{url}&connect_timeout=33")
        shown(database, "server_version")
        database.dispose()
    assert given["connect_timeout"] == "33"
    assert given["tcp_user_timeout"] == 10_000


@pytest.fixture
def frozen(postgresql: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Database, Link]]:
    """A database, and the link to it."""
    socket = f".s.PGSQL.{postgresql.port}"
    place = tmp_path_factory.mktemp("l")
    with postgresql.database() as url, link(place / socket, postgresql.directory / socket) as made:
        database = Database(str(url).replace(str(postgresql.directory), str(place)))
        yield database, made
        made.thaw()
        database.dispose()


def answers(database: Database) -> bool:
    """Whether it does within a second and the margin for the server."""
    started_at_s = time.monotonic()
    try:
        with within(1), database.read() as session:
            return bool(session.scalars(text("SELECT 1")).one() == 1)
    except OperationalError:
        assert time.monotonic() - started_at_s < GENEROUS_S
        return False


def test_a_frozen_server_is_given_up_and_found_again(frozen: tuple[Database, Link]) -> None:
    database, its_link = frozen
    assert answers(database)
    its_link.freeze()
    assert not answers(database)  # on a connection from the pool
    assert not answers(database)  # on a new one
    its_link.thaw()
    assert answers(database)


def write_while_frozen(database: Database, its_link: Link) -> None:
    with within(1), database.begin() as session:
        session.execute(text("CREATE TABLE kept (id int)"))
        its_link.freeze()
        session.execute(text("INSERT INTO kept VALUES (1)"))


def test_a_server_frozen_in_the_middle_of_a_transaction_is_given_up(frozen: tuple[Database, Link]) -> None:
    database, its_link = frozen
    started_at_s = time.monotonic()
    with pytest.raises(OperationalError):
        write_while_frozen(database, its_link)
    assert time.monotonic() - started_at_s < GENEROUS_S
    its_link.thaw()
    with database.read() as session:
        assert session.scalars(text("SELECT to_regclass('kept')")).one() is None


def test_without_a_limit_a_slow_answer_is_waited_for(
    frozen: tuple[Database, Link], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "ANSWER_MARGIN_S", -10.0)  # with any limit below ten seconds it would be given up
    database, _ = frozen
    with within(None), database.read() as session:
        assert session.scalars(text("SELECT 1 FROM pg_sleep(0.5)")).one() == 1
