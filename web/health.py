"""For machines: is the process alive, can it work, and figures to graph. No sign-in; nothing of a patient."""

from __future__ import annotations

import redis
from flask import Blueprint, Response, jsonify
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from core.queue import depth
from db import queries, workers
from db.session import now
from web.services import services

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
def healthz() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@blueprint.get("/readyz")
def readyz() -> tuple[Response, int]:
    """200 when database and broker answer; `workers` counts those alive with a model loaded.

    No worker is no reason for 503: uploads are taken all the same, and screened when one starts.
    """
    database, alive = _workers_alive()
    broker = broker_answers()
    ready = database and broker
    body = {"ready": ready, "database": database, "broker": broker, "workers": alive}
    return jsonify(body), 200 if ready else 503


def broker_answers() -> bool:
    try:
        return bool(services().broker.ping())
    except redis.RedisError:
        return False


def _workers_alive() -> tuple[bool, int]:
    try:
        with services().database.read() as session:
            session.execute(text("SELECT 1"))
            return True, len(workers.alive(session, now(session)))
    except SQLAlchemyError:
        return False, 0


@blueprint.get("/metrics")
def metrics() -> Response:
    """Prometheus text: gauges read from the database and the broker at this moment, whichever process answers."""
    registry = CollectorRegistry()

    def gauge(name: str, help_text: str, value: float) -> None:
        Gauge(f"pneumoscreen_{name}", help_text, registry=registry).set(value)

    with services().database.read() as session:
        at = now(session)
        backlog = queries.backlog(session, at)
        alive = workers.alive(session, at)
    oldest = backlog.oldest_queued_at
    gauge("images_queued", "Images waiting for a worker.", backlog.queued)
    gauge("images_running", "Images leased to a worker.", backlog.running)
    gauge("oldest_queued_seconds", "Age of the oldest waiting image.", (at - oldest).total_seconds() if oldest else 0)
    gauge("images_done_last_hour", "Images screened in the last hour.", backlog.done_last_hour)
    gauge("images_failed_last_hour", "Images that failed for good in the last hour.", backlog.failed_last_hour)
    gauge("workers_alive", "Workers seen in the last ten seconds.", len(alive))
    try:
        gauge("broker_messages", "Doorbells waiting in the broker.", depth(services().broker))
        gauge("broker_up", "1 if the broker answers.", 1)
    except redis.RedisError:
        gauge("broker_up", "1 if the broker answers.", 0)
    return Response(generate_latest(registry), mimetype=CONTENT_TYPE_LATEST)
