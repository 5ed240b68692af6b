"""Which workers are alive, and which model each of them runs."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from db.tables import Model, Worker

ALIVE_S = 10.0
"""A worker not seen for this long counts as gone."""

FORGET_S = 3600.0
"""A worker that stopped without signing off is listed for this long: by then another one has been started."""


def register_model(session: Session, *, sha256: str, name: str, card: dict[str, Any], now: datetime) -> None:
    """Record a model. Its card is a part of the checkpoint that the hash is of, so it never changes."""
    if session.get(Model, sha256) is None:
        # Another worker may add the same model at this moment: its row is the same.
        with contextlib.suppress(IntegrityError), session.begin_nested():
            session.add(Model(sha256=sha256, name=name, card=card, created_at=now))


def register(session: Session, *, name: str, engine: str, model_sha256: str, now: datetime) -> None:
    """A worker has started or switched to another model."""
    worker = session.get(Worker, name)
    if worker is None:
        session.add(Worker(name=name, engine=engine, model_sha256=model_sha256, started_at=now, seen_at=now))
    else:
        worker.engine, worker.model_sha256, worker.seen_at = engine, model_sha256, now


def beat(
    session: Session,
    *,
    name: str,
    batches: int,
    images: int,
    now: datetime,
    paused_reason: str | None = None,
    model_problem: str | None = None,
) -> bool:
    """Note that a worker is alive; False if it is not listed any more, after more than FORGET_S without a heartbeat.

    Args:
        batches, images: its totals so far.
        paused_reason: why it claims nothing.
        model_problem: why it does not run the deployed model.
    """
    values = {
        "seen_at": now,
        "batches": batches,
        "images": images,
        "paused_reason": paused_reason,
        "model_problem": model_problem,
    }
    listed = session.scalars(update(Worker).where(Worker.name == name).values(values).returning(Worker.name))
    return listed.one_or_none() is not None


def leave(session: Session, *, name: str) -> None:
    """Remove a worker that shuts down."""
    session.execute(delete(Worker).where(Worker.name == name))


def alive(session: Session, now: datetime) -> Sequence[Worker]:
    return session.scalars(
        select(Worker).where(Worker.seen_at > now - timedelta(seconds=ALIVE_S)).order_by(Worker.name)
    ).all()


def forget(session: Session, now: datetime) -> None:
    """Remove workers that stopped more than FORGET_S ago without signing off."""
    session.execute(delete(Worker).where(Worker.seen_at < now - timedelta(seconds=FORGET_S)))
