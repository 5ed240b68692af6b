"""The models that commands work with: those of the service that the settings name, else the files of this host."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from cli import database
from core.errors import ModelInvalid
from core.settings import Settings
from model.registry import Entry, Registry
from services import checkpoints
from services.deployments import Deployments
from services.schema import sqlite_path
from storage.open import open_store


@contextlib.contextmanager
def opened(settings: Settings) -> Iterator[Deployments | Registry]:
    """The models of the service; where there is none yet, the shipped ones and the folder of models.

    Raises:
        ConfigurationError: the database cannot be reached, or lacks a migration.
    """
    if not has_service(settings):
        yield Registry(settings.storage.models)
        return
    with service(settings) as deployments:
        yield deployments


@contextlib.contextmanager
def service(settings: Settings) -> Iterator[Deployments]:
    """The models of the service.

    Raises:
        ConfigurationError: there is no database yet, it cannot be reached, or it lacks a migration.
    """
    with database.connected() as open_database:
        yield Deployments(open_database, open_store(settings))


@contextlib.contextmanager
def checkpoint(settings: Settings, key: str) -> Iterator[Entry]:
    """A model's checkpoint as a file, for the time of the block.

    One that is named is first looked for in the folder of models, for which no service is needed. Without a name it is
    the one that the service screens with; where there is no service, the shipped one.

    Raises:
        ModelInvalid: there is no such model, or it is damaged.
    """
    registry = Registry(settings.storage.models)
    if not has_service(settings):
        yield registry.get(key or "default")
        return
    if key and (entry := _in_folder(registry, key)):
        yield entry
        return
    with service(settings) as deployments:
        model = deployments.get(key) if key else deployments.primary()
    with checkpoints.fetched(open_store(settings), model.sha256) as fetched:
        yield fetched


def _in_folder(registry: Registry, key: str) -> Entry | None:
    try:
        return registry.get(key)
    except ModelInvalid:  # the service may know it; else it says what is wrong
        return None


def has_service(settings: Settings) -> bool:
    """Whether the settings name a database that can be there: a server, or a file that exists."""
    path = sqlite_path(settings.storage.database)
    return path is None or path.exists()
