"""What the views of an application work with: one typed object, made once and shared by the process's threads."""

from __future__ import annotations

import threading
from collections.abc import Hashable
from dataclasses import dataclass
from typing import cast

import redis
from cachetools import TTLCache
from flask import Flask, current_app

from core.queue import CeleryPublisher
from core.settings import Settings
from db.session import Database
from services.ingest import Ingest
from services.jobs import Jobs
from storage.base import BlobStore
from web.health.service_health import ServiceHealth
from web.services import Services

_KEY = "pneumoscreen"

SAME_VIEW_S = 60.0
"""A page that renews itself is one view, not one a second: what a user saw this long ago is not written again."""

MAX_SEEN = 50_000


@dataclass(frozen=True, slots=True)
class Dependencies:
    settings: Settings
    database: Database
    store: BlobStore
    broker: redis.Redis
    ingest: Ingest
    jobs: Jobs
    health: ServiceHealth
    recently_seen: TTLCache[Hashable, bool]
    """Which user saw what within the last `SAME_VIEW_S`; a forgotten one costs an entry too many in the audit log."""
    seen_lock: threading.Lock
    """Held by whoever reads or changes `recently_seen`."""


def install(app: Flask, settings: Settings, services: Services) -> Dependencies:
    """Give `app` what its views ask `dependencies` for."""
    database, store = services.database, services.store
    publisher = CeleryPublisher(services.celery, settings.images_per_message)
    ingest = Ingest(settings, database, store, publisher)
    app.extensions[_KEY] = made = Dependencies(
        settings=settings,
        database=database,
        store=store,
        broker=services.broker,
        ingest=ingest,
        jobs=Jobs(database, publisher),
        health=ServiceHealth(settings, database, store, services.broker, ingest.guard),
        recently_seen=TTLCache(MAX_SEEN, ttl=SAME_VIEW_S),
        seen_lock=threading.Lock(),
    )
    return made


def dependencies() -> Dependencies:
    """Those of the application that handles the current request. A view takes them once and hands them on."""
    return cast(Dependencies, current_app.extensions[_KEY])
