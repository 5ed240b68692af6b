"""The database that the administration commands work on: the one the service's settings name."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from core import settings
from core.errors import ConfigurationError
from db import migrate
from db.session import Database
from services.schema import explained, sqlite_path


def url() -> str:
    """The SQLAlchemy URL of the settings, so of `./data` next to an embedded service."""
    return settings.load().storage.database


@contextlib.contextmanager
def connected() -> Iterator[Database]:
    """Open the database; close it at the end.

    Raises:
        ConfigurationError: there is none yet, it cannot be reached, or it lacks a migration.
    """
    database_url = url()
    require_file(database_url)
    with explained(database_url):
        _require_schema(database_url)
        database = Database(database_url)
        try:
            yield database
        finally:
            database.dispose()


def require_file(database_url: str) -> None:
    """Raises ConfigurationError: it is an SQLite file that does not exist. Opening it would create an empty one."""
    path = sqlite_path(database_url)
    try:
        missing = path is not None and not path.exists()
    except OSError as error:
        raise ConfigurationError(f"Cannot reach the database {path}: {error.strerror}.") from error
    if missing:
        raise ConfigurationError(
            f"There is no database at {path}: start `pneumoscreen up` there first, "
            "or set PNEUMOSCREEN_DATA_DIR or PNEUMOSCREEN_DATABASE_URL."
        )


def _require_schema(database_url: str) -> None:
    at, newest = migrate.current(database_url)
    if at != newest:
        raise ConfigurationError(
            f"The database's schema is {at or 'empty'}, this version needs {newest}: run `pneumoscreen db upgrade`."
        )
