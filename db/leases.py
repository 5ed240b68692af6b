"""Leases: how long a worker holds the images that it claimed, and what happens when it does not come back.

As in `db.jobs`, each state change is one conditional UPDATE, and the caller owns the transaction.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, update
from sqlalchemy.orm import Session

from db.states import ImageState
from db.tables import Image, state_is


def renew(session: Session, *, worker: str, image_ids: Iterable[int], lease_s: float, now: datetime) -> None:
    """Renew the leases of those of `image_ids` that `worker` still holds.

    Other images in its name are left to expire: it has lost them, for example because the database went away between
    the forward pass and `finish`, and nobody else could claim them if their leases were renewed.
    """
    session.execute(
        update(Image)
        .where(state_is(ImageState.RUNNING), Image.worker == worker, Image.id.in_(list(image_ids)))
        .values(lease_expires_at=now + timedelta(seconds=lease_s))
        .execution_options(synchronize_session=False)
    )


def release(session: Session, *, worker: str, image_ids: Iterable[int] | None = None) -> int:
    """Queue again what a worker holds and has not tried: all of it, or `image_ids`; how many images."""
    held = Image.worker == worker
    if image_ids is not None:
        held &= Image.id.in_(list(image_ids))
    return len(_requeue(session, held, attempt=Image.attempt - 1))


def requeue_expired(session: Session, *, max_attempts: int, now: datetime) -> tuple[list[int], list[int]]:
    """End expired leases; return the images that were queued again as suspects, and those that failed.

    An image fails at its `max_attempts`th crash, but never at its first. At the first crash it was in a batch, and any
    image of that may be the reason; at all later ones it was alone.
    """
    expired = Image.lease_expires_at < now
    last = max(2, max_attempts)
    times = "once" if last == 2 else f"{last - 1} times"
    exhausted = session.scalars(
        update(Image)
        .where(state_is(ImageState.RUNNING), expired, Image.crashes + 1 >= last)
        .values(
            state=ImageState.FAILED,
            crashes=Image.crashes + 1,
            lease_expires_at=None,
            finished_at=now,
            error_code="attempts_exhausted",
            error_message=f"The worker stopped answering {last} times while it held this image, {times} with no other.",
        )
        .returning(Image.id)
        .execution_options(synchronize_session=False)
    ).all()
    return _requeue(session, expired, crashes=Image.crashes + 1), list(exhausted)


def clamp_leases(session: Session, *, lease_s: float, now: datetime) -> int:
    """Cut leases that end too late, because the clock was set back, to `lease_s`; how many.

    Otherwise an image whose worker died before that would wait for as long as the clock was set back.
    """
    rows = session.scalars(
        update(Image)
        .where(state_is(ImageState.RUNNING), Image.lease_expires_at > now + timedelta(seconds=2 * lease_s))
        .values(lease_expires_at=now + timedelta(seconds=lease_s))
        .returning(Image.id)
        .execution_options(synchronize_session=False)
    ).all()
    return len(rows)


def _requeue(session: Session, condition: ColumnElement[bool], **values: Any) -> list[int]:
    rows = session.scalars(
        update(Image)
        .where(state_is(ImageState.RUNNING), condition)
        .values(state=ImageState.QUEUED, lease_expires_at=None, published_at=None, **values)
        .returning(Image.id)
        .execution_options(synchronize_session=False)
    ).all()
    return list(rows)
