"""Brings the configured database to this version's schema, and sets up its image storage."""

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
from services import models_folder
from storage.open import open_store


class Upgrade(NamedTuple):
    """The schema's revision before (None: empty) and after, and what is wrong with image storage or models."""

    before: str | None
    after: str | None
    problems: list[str]


def upgrade(settings: Settings) -> Upgrade:
    """Bring the database to this version's schema, making it if there is none.

    A new one is given its image storage. What lies in the folder of models is taken over.

    Raises:
        ConfigurationError: the database cannot be made or reached, or the model in use is missing.
    """
    url = settings.storage.database
    if path := sqlite_path(url):
        make_folder(path)
    with explained(url):
        before, _ = migrate.current(url)
        migrate.upgrade(url)
        after, _ = migrate.current(url)
        return Upgrade(before, after, _prepare_storage(settings))


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


def _prepare_storage(settings: Settings) -> list[str]:
    """Give a new database its image storage and take over the folder of models; return what is wrong, if anything is.

    No error: whatever waits for the right storage goes on by itself once it is there.
    """
    database, store = Database(settings.storage.database), open_store(settings)
    try:
        StoreCheck(database, store, settles=True).require()
        return models_folder.take_over(settings.storage.models, database, store)
    except (StorageMissing, StorageForeign) as error:
        return [f"{error.message} {TODO}"]
    except StorageUnavailable as error:
        return [error.message]
    finally:
        database.dispose()
