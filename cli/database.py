"""The database that the administration commands work on: the one the service's settings name."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import ConfigurationError

if TYPE_CHECKING:
    from core.settings import Settings
    from db.session import Database


def url() -> str:
    """The SQLAlchemy URL of the settings, so of `./data` next to an embedded service."""
    from core import settings

    return settings.load().storage.database


@contextlib.contextmanager
def connected() -> Iterator[Database]:
    """Open the database; close it at the end.

    Raises:
        ConfigurationError: there is none yet, it cannot be reached, or it lacks a migration.
    """
    from db.session import Database

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


def make_folder(path: Path) -> None:
    """Make the folder of a database that is a file, for its owner alone.

    Raises:
        ConfigurationError: it cannot be made.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"Cannot make the folder {path.parent}: {error.strerror}.") from error


def sqlite_path(database_url: str) -> Path | None:
    """The file of an SQLite URL, else None."""
    from db.session import parse

    parsed = parse(database_url)
    return Path(parsed.database) if parsed.get_backend_name() == "sqlite" and parsed.database else None


@contextlib.contextmanager
def explained(database_url: str) -> Iterator[None]:
    """Turn a failed connection into one sentence, without the URL's password."""
    from sqlalchemy import make_url
    from sqlalchemy.exc import OperationalError

    try:
        yield
    except OperationalError as error:
        where = make_url(database_url).render_as_string(hide_password=True)
        reason = str(error.orig).strip().splitlines()[0] if str(error.orig).strip() else "no answer"
        raise ConfigurationError(f"Cannot use the database {where}: {reason}") from error


def settle_store(settings: Settings) -> str | None:
    """Give a new database the image storage of the settings; what is wrong with that storage, if anything is.

    No error: whatever waits for the right storage goes on by itself once it is there.
    """
    from core.errors import StorageForeign, StorageMissing, StorageUnavailable
    from db.session import Database
    from db.stores import TODO, StoreCheck
    from storage.open import open_store

    database = Database(settings.storage.database)
    try:
        StoreCheck(database, open_store(settings), settles=True).require()
    except (StorageMissing, StorageForeign) as error:
        return f"{error.message} {TODO}"
    except StorageUnavailable as error:
        return error.message
    finally:
        database.dispose()
    return None


def take_over_models(settings: Settings) -> list[str]:
    """Import what lies in the folder of models, and deploy what the release before had chosen there; what is no model.

    Raises:
        ConfigurationError: the chosen model is not there.
    """
    from db.session import Database
    from services import models_folder
    from storage.open import open_store

    database = Database(settings.storage.database)
    try:
        return models_folder.take_over(settings.storage.models, database, open_store(settings))
    finally:
        database.dispose()


def _require_schema(database_url: str) -> None:
    from db import migrate

    at, newest = migrate.current(database_url)
    if at != newest:
        raise ConfigurationError(
            f"The database's schema is {at or 'empty'}, this version needs {newest}: run `pneumoscreen db upgrade`."
        )
