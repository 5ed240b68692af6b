"""The database of the settings, brought to this version's schema, and its image storage."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import make_url
from sqlalchemy.exc import OperationalError

from core.errors import ConfigurationError, StorageForeign, StorageMissing, StorageUnavailable
from core.settings import Settings
from db import migrate
from db.session import Database, parse
from db.stores import TODO, StoreCheck
from storage.open import open_store


class Upgrade(NamedTuple):
    """The schema's revision before (None: empty) and after, and what is wrong with the image storage, if anything."""

    before: str | None
    after: str | None
    storage_problem: str | None


def upgrade(settings: Settings) -> Upgrade:
    """Bring the database to this version's schema, making it if there is none; give a new one its image storage.

    Raises:
        ConfigurationError: the database cannot be made or reached.
    """
    url = settings.storage.database
    if path := sqlite_path(url):
        make_folder(path)
    with explained(url):
        before, _ = migrate.current(url)
        migrate.upgrade(url)
        after, _ = migrate.current(url)
        return Upgrade(before, after, _settle_store(settings))


def sqlite_path(database_url: str) -> Path | None:
    """The file of an SQLite URL, else None."""
    parsed = parse(database_url)
    return Path(parsed.database) if parsed.get_backend_name() == "sqlite" and parsed.database else None


def make_folder(path: Path) -> None:
    """Make the folder of a database that is a file, for its owner alone.

    Raises:
        ConfigurationError: it cannot be made.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"Cannot make the folder {path.parent}: {error.strerror}.") from error


@contextlib.contextmanager
def explained(database_url: str) -> Iterator[None]:
    """Turn a failed connection into one sentence, without the URL's password."""
    try:
        yield
    except OperationalError as error:
        where = make_url(database_url).render_as_string(hide_password=True)
        reason = str(error.orig).strip().splitlines()[0] if str(error.orig).strip() else "no answer"
        raise ConfigurationError(f"Cannot use the database {where}: {reason}") from error


def _settle_store(settings: Settings) -> str | None:
    """Give a new database the image storage of the settings; return what is wrong with that storage, if anything is.

    No error: whatever waits for the right storage goes on by itself once it is there.
    """
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
