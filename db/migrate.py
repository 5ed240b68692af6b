"""Brings a database to the newest schema. Safe to run at every start, from several threads and hosts at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from db import dialect
from db.limits import within
from db.session import make_engine

MIGRATIONS = Path(__file__).parent / "migrations"
_LOCK_KEY = 0x706E65756D6F  # "pneumo": any number that nothing else in the database uses
_one_at_a_time = threading.Lock()  # Alembic keeps the migration under way in globals of its modules


def upgrade(url: str, revision: str = "head") -> None:
    """Run the migrations up to `revision`, in one transaction, one host at a time."""
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
    """A write transaction that other migrations wait for."""
    engine = make_engine(url)
    try:
        with (
            _one_at_a_time,
            within(None),  # an index of a large table takes minutes
            engine.connect().execution_options(writes=True) as connection,
            connection.begin(),
        ):
            dialect.lock(connection, _LOCK_KEY)
            yield connection
    finally:
        engine.dispose()


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
