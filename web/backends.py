"""What a web process connects to: database, blob store and broker."""

from __future__ import annotations

from dataclasses import dataclass

import redis
from celery import Celery

from core.queue import connect, make_celery
from core.settings import Settings
from db.session import Database
from storage.base import BlobStore
from storage.open import open_store


@dataclass(frozen=True, slots=True)
class Backends:
    settings: Settings
    database: Database
    store: BlobStore
    celery: Celery
    broker: redis.Redis


def connect_all(settings: Settings) -> Backends:
    """The backends that `settings` name; nothing is contacted yet."""
    return Backends(
        settings=settings,
        database=Database(settings.storage.database),
        store=open_store(settings),
        celery=make_celery(settings),
        broker=connect(settings),
    )
