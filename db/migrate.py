"""Brings a database to the newest schema. Safe to run at every start, from several threads and hosts at once.

On SQLite, which has one writer, all revisions are one transaction. On PostgreSQL each is a transaction of its own, so
that one may leave it to make an index or to fill a column while others write (`db/migrations/online.py`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from db import dialect
from db.dialect import Lock
from db.limits import within
from db.session import make_engine

MIGRATIONS = Path(__file__).parent / "migrations"
LOCK_POLL_S = 0.2
_one_at_a_time = threading.Lock()  # Alembic keeps the migration under way in globals of its modules


def upgrade(url: str, revision: str = "head") -> None:
    """Run the migrations up to `revision`, one host at a time. Those that are done stay when a later one fails."""
    with _locked(url) as connection:
        command.upgrade(_config(connection), revision)


def downgrade(url: str, revision: str) -> None:
    """Undo the migrations down to `revision` (`base`: all of them, and with them all data)."""
    with _locked(url) as connection:
        command.downgrade(_config(connection), revision)


def current(url: str) -> tuple[str | None, str | None]:
    """The database's revision and the newest one of this code; both None only if neither exists."""
    engine = make_engine(url)
    with engine.connect() as connection:
        at = MigrationContext.configure(connection).get_current_revision()
    engine.dispose()
    return at, ScriptDirectory(str(MIGRATIONS)).get_current_head()


@contextmanager
def _locked(url: str) -> Iterator[Connection]:
    """A connection that may write, and that migrations of other hosts wait for."""
    engine = make_engine(url)
    try:
        with (
            _one_at_a_time,
            within(None),  # an index of a large table takes minutes
            engine.connect().execution_options(writes=True) as connection,
        ):
            if connection.dialect.name == "postgresql":
                _wait_for_lock(connection)
                yield connection
            else:
                with connection.begin():
                    yield connection
    finally:
        engine.dispose()


def _wait_for_lock(connection: Connection) -> None:
    """Take PostgreSQL's lock, which the end of the connection gives back.

    It tries again and again instead of waiting inside a statement. The holder of the lock may make an index
    concurrently, which waits until every statement that began before has ended: the two would wait for each other.
    """
    level = connection.default_isolation_level
    connection.execution_options(isolation_level="AUTOCOMMIT")
    connection.execute(text("SET statement_timeout = 0"))  # `within` reaches only what is in a transaction
    while not dialect.try_lock_connection(connection, Lock.MIGRATIONS):
        time.sleep(LOCK_POLL_S)
    connection.rollback()
    connection.execution_options(isolation_level=level)


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
