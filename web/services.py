"""What a request needs from outside Flask: settings, database, blob store, queue."""

from __future__ import annotations

import threading
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import cast

import redis
from cachetools import TTLCache
from celery import Celery
from flask import current_app

from core.queue import connect, make_celery
from core.settings import Settings
from db.session import Database
from storage.base import BlobStore
from storage.open import open_store

_KEY = "pneumoscreen"

SAME_VIEW_S = 60.0
"""A page that renews itself is one view, not one a second: what a user saw this long ago is not written again."""

MAX_SEEN = 50_000

Seen = TTLCache[Hashable, bool]


@dataclass(frozen=True, slots=True)
class Services:
    settings: Settings
    database: Database
    store: BlobStore
    celery: Celery
    broker: redis.Redis
    recently_seen: Seen = field(default_factory=lambda: TTLCache(MAX_SEEN, ttl=SAME_VIEW_S))
    """Which user saw what within the last `SAME_VIEW_S`; a forgotten one costs an entry too many in the audit log."""
    seen_lock: threading.Lock = field(default_factory=threading.Lock)
    """Held by whoever reads or changes `recently_seen`."""


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
