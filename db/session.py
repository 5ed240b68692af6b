"""Engines and transactions, the same on SQLite and PostgreSQL.

database = Database(settings.storage.database)
with database.begin() as session: ...    # a write transaction: commits at the end, rolls back on an error
with database.read() as session: ...     # a read
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, cast

from sqlalchemy import URL, Connection, Engine, create_engine, event, func, make_url, select
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError
from sqlalchemy.orm import Session

from core.errors import ConfigurationError
from db import dialect, limits

BUSY_TIMEOUT_S = 30.0

POOL_TIMEOUT_S = 10.0
"""A thread waits no longer for a connection while the others of its process hang."""

WRITE_IDLE_S = 10.0
"""PostgreSQL aborts a write transaction that is idle for longer. (A read may idle: a CSV waits for its reader.)"""


class Database:
    """One engine and its connection pool; safe to share between threads, not across a fork."""

    def __init__(self, url: str) -> None:
        self.engine = make_engine(url)

    @contextmanager
    def begin(self) -> Iterator[Session]:
        """A write transaction. SQLite takes its one write lock at the start, so it can wait but never deadlock."""
        with self.engine.connect() as connection:
            connection = connection.execution_options(writes=True)
            with Session(connection, expire_on_commit=False) as session, session.begin():
                yield session

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A transaction that only reads; what it changed would be rolled back."""
        with self.engine.connect() as connection, Session(connection, expire_on_commit=False) as session:
            yield session

    def dispose(self) -> None:
        """Close the pooled connections (in a child, after a fork)."""
        self.engine.dispose()


def make_engine(url: str) -> Engine:
    """An engine for `sqlite:///file` or `postgresql+psycopg://…` (a bare `postgresql://` means psycopg too).

    Its errors leave out the values of the statement: they are logged, and a file name may be among them.
    """
    parsed = parse(url)
    if parsed.get_backend_name() == "sqlite":
        lock_wait: dict[str, Any] = {"timeout": BUSY_TIMEOUT_S, "check_same_thread": False}
        engine = create_engine(parsed, connect_args=lock_wait, hide_parameters=True)
        event.listen(engine, "connect", _sqlite_connect)
        event.listen(engine, "begin", _sqlite_begin)
        return engine
    if parsed.drivername == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
    # pre_ping: a connection that died with a restarted server is replaced instead of failing a request.
    pool: dict[str, Any] = {"pool_pre_ping": True, "pool_size": 10, "max_overflow": 20, "pool_timeout": POOL_TIMEOUT_S}
    engine = create_engine(parsed, hide_parameters=True, **pool)
    event.listen(engine, "do_connect", _postgresql_connect)
    event.listen(engine, "begin", _postgresql_begin)
    return engine


def parse(url: str) -> URL:
    """
    Raises:
        ConfigurationError: it is no URL of a database. The sentence leaves it out: it may hold a password.
    """
    try:
        return make_url(url)
    except (ArgumentError, ValueError):  # a ValueError: its port is not a number
        raise ConfigurationError("PNEUMOSCREEN_DATABASE_URL is not a URL of a database: check its form.") from None


def _sqlite_connect(connection: sqlite3.Connection, _record: Any) -> None:
    connection.isolation_level = None  # we emit BEGIN ourselves, below
    cursor = connection.cursor()
    _use_wal(cursor)
    cursor.execute("PRAGMA synchronous = FULL")  # what was answered with a 2xx survives a power cut
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _use_wal(cursor: sqlite3.Cursor) -> None:
    """Several processes may open a new file at once, and SQLite does not wait for the one that switches its mode."""
    deadline_s = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline_s:
                raise
        time.sleep(0.01)


def _postgresql_connect(
    _dialect: Any, _record: Any, arguments: list[Any], given: dict[str, Any]
) -> DBAPIConnection | None:
    return cast(DBAPIConnection, limits.connect(*arguments, **given))


def _postgresql_begin(connection: Connection) -> None:
    """A process that is stopped in the middle of a write loses its transaction, and with it the locks on its rows."""
    statements = [limits.of_transaction()]
    if connection.get_execution_options().get("writes", False):
        statements.append(f"SET LOCAL idle_in_transaction_session_timeout = {round(WRITE_IDLE_S * 1000)}")
    if sql := "; ".join(filter(None, statements)):
        connection.exec_driver_sql(sql)


def _sqlite_begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def now(session: Session) -> datetime:
    """The time, UTC, by the one clock that all hosts share: the database server's, so that leases need no NTP."""
    if dialect.is_sqlite(session):
        return datetime.now(UTC)  # one file, one host, one clock
    server_time: datetime = session.scalars(select(func.clock_timestamp())).one()
    return server_time.astimezone(UTC)
