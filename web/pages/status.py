"""One page for the operator at 3 a.m.: what is wrong and what to do, then the figures behind it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from flask import render_template
from sqlalchemy import select
from sqlalchemy.orm import Session

from db import queries, workers
from db.models import Model, Worker
from db.queries import Backlog
from db.session import now
from web.health import broker_answers
from web.pages.base import blueprint
from web.pages.diagnosis import WorkerFacts, diagnose, pace
from web.pages.words import amount, duration
from web.services import services

DATABASES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}


@blueprint.get("/status")
def status() -> str:
    broker = broker_answers()
    database = services().database
    with database.read() as session:
        at = now(session)
        backlog = queries.backlog(session, at)
        known = known_workers(session, at)
    alive = [worker for worker in known if worker.alive]
    return render_template(
        "status.html",
        problems=diagnose(backlog, known, broker=broker, at=at),
        well=pace(backlog, len(alive)),
        tiles=tiles(backlog, at),
        workers=known,
        parts=[
            ("Database", True, DATABASES[database.engine.dialect.name]),
            ("Broker", broker, "Redis or Valkey: wakes the workers"),
        ],
        now=at,
    )


def known_workers(session: Session, at: datetime) -> list[WorkerFacts]:
    """Workers seen within a day, the silent ones too."""
    rows = session.execute(
        select(Worker, Model.name)
        .join(Model, Model.sha256 == Worker.model_sha256)
        .where(Worker.seen_at > at - timedelta(seconds=workers.FORGET_S))
        .order_by(Worker.name)
    )
    return [
        WorkerFacts(
            name=row.name,
            engine=row.engine,
            model=model_name,
            sha256=row.model_sha256,
            silent_for=at - row.seen_at,
            alive=at - row.seen_at < timedelta(seconds=workers.ALIVE_S),
            batches=row.batches,
            images=row.images,
            started_at=row.started_at,
        )
        for row, model_name in rows
    ]


def tiles(backlog: Backlog, at: datetime) -> Sequence[tuple[str, str, str]]:
    """(icon, words, figure)."""
    oldest = backlog.oldest_queued_at
    return (
        ("queued", "Queued", amount(backlog.queued)),
        ("queued", "Oldest has waited", duration(at - oldest) if oldest else "–"),
        ("running", "Running", amount(backlog.running)),
        ("done", "Done in the last hour", amount(backlog.done_last_hour)),
        ("failed", "Failed in the last hour", amount(backlog.failed_last_hour)),
    )
