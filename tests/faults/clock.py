"""The clock by which leases are made, so that a row can set it while the service runs.

On SQLite that is the host's, which the tests' own process entries read through `install`; on PostgreSQL the server's,
where a function of the same name is found first. (libfaketime would shift whole processes, but breaks the sleep of
Python 3.11.)
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta, tzinfo
from pathlib import Path

from sqlalchemy import make_url, text

from db import session as db_session
from db.session import Database

VARIABLE = "FAULT_CLOCK"

_SERVER = """
CREATE SCHEMA clock;
CREATE TABLE clock.offsets (by_s integer NOT NULL);
INSERT INTO clock.offsets VALUES (0);
CREATE FUNCTION clock.clock_timestamp() RETURNS timestamptz VOLATILE LANGUAGE sql
    AS 'SELECT pg_catalog.clock_timestamp() + by_s * interval ''1 second'' FROM clock.offsets';
ALTER DATABASE {name} SET search_path = clock, pg_catalog, public
"""


class Clock:
    """Moves the time of day; what measures durations goes on, as it does on a real host."""

    def __init__(self, path: Path, database: Database) -> None:
        self._path = path
        self._database = database
        self._offset_s = 0
        self._on_server = database.engine.dialect.name == "postgresql"
        self.move(0)
        if self._on_server:
            name = make_url(database.engine.url).database
            with database.begin() as session:
                for statement in _SERVER.format(name=name).strip().split(";\n"):
                    session.execute(text(statement))

    @property
    def environment(self) -> dict[str, str]:
        return {VARIABLE: str(self._path)}

    def move(self, by_s: int) -> None:
        """So many seconds on, or back."""
        self._offset_s += by_s
        written = self._path.with_suffix(".new")
        written.write_text(str(self._offset_s))
        written.rename(self._path)
        if self._on_server and by_s:
            with self._database.begin() as session:
                session.execute(text("UPDATE clock.offsets SET by_s = :by_s"), {"by_s": self._offset_s})


class _Shifted(datetime):
    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]  # a plain datetime will do
        return datetime.now(tz) + timedelta(seconds=int(Path(os.environ[VARIABLE]).read_text()))


def install() -> None:
    """In a process of the service: take the time from the file."""
    vars(db_session)["datetime"] = _Shifted
