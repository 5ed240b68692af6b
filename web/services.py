"""What a web process connects to: database, blob store, queue."""

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
class Services:
    settings: Settings
    database: Database
    store: BlobStore
    celery: Celery
    broker: redis.Redis


def connect_all(settings: Settings) -> Services:
    """The real services that `settings` name; nothing is contacted yet."""
    return Services(
        settings=settings,
        database=Database(settings.storage.database),
        store=open_store(settings),
        celery=make_celery(settings),
        broker=connect(settings),
    )
