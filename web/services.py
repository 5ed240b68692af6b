"""What a request needs from outside Flask: settings, database, blob store, queue."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import cast

import redis
from celery import Celery
from flask import current_app

from core.queue import connect, make_celery
from core.settings import Settings
from db.session import Database
from storage.base import BlobStore
from storage.open import open_store
from web.recently import Recently

_KEY = "pneumoscreen"


@dataclass(frozen=True, slots=True)
class Services:
    settings: Settings
    database: Database
    store: BlobStore
    celery: Celery
    broker: redis.Redis
    recently_seen: Recently = field(default_factory=Recently)


def connect_all(settings: Settings) -> Services:
    """The real services that `settings` name; nothing is contacted yet."""
    return Services(
        settings=settings,
        database=Database(settings.storage.database),
        store=open_store(settings),
        celery=make_celery(settings),
        broker=connect(settings),
    )


def services() -> Services:
    """Those of the application that handles the current request."""
    return cast(Services, current_app.extensions[_KEY])
