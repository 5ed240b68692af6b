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
from web.health.service_health import ServiceHealth
from web.services import Services

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
        view_log=ViewLog(database),
    )
    return made


def dependencies() -> Dependencies:
    """Those of the application that handles the current request. A view takes them once and hands them on."""
    return cast(Dependencies, current_app.extensions[_KEY])
