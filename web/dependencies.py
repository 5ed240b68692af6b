"""What the views of an application work with: one typed object, made once and shared by the process's threads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import redis
from flask import Flask, current_app

from core.queue import CeleryPublisher
from core.settings import Settings
from db.session import Database
from services.ingest import Ingest
from services.jobs import Jobs
from services.view_log import ViewLog
from storage.base import BlobStore
from web.backends import Backends
from web.health.service_health import ServiceHealth

_KEY = "pneumoscreen"


@dataclass(frozen=True, slots=True)
class Dependencies:
    settings: Settings
    database: Database
    store: BlobStore
    broker: redis.Redis
    ingest: Ingest
    jobs: Jobs
    health: ServiceHealth
    view_log: ViewLog


def install(app: Flask, settings: Settings, backends: Backends) -> Dependencies:
    """Make what the views of `app` get from `dependencies()`."""
    database, store = backends.database, backends.store
    publisher = CeleryPublisher(backends.celery, settings.images_per_message)
    ingest = Ingest(settings, database, store, publisher)
    app.extensions[_KEY] = made = Dependencies(
        settings=settings,
        database=database,
        store=store,
        broker=backends.broker,
        ingest=ingest,
        jobs=Jobs(database, publisher),
        health=ServiceHealth(settings, database, store, backends.broker, ingest.guard),
        view_log=ViewLog(database),
    )
    return made


def dependencies() -> Dependencies:
    """The dependencies of the current request's application. A view calls this once, and passes on what it needs."""
    return cast(Dependencies, current_app.extensions[_KEY])
