"""How much work waits over all jobs, and how fast it is done."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db.states import ImageState, Priority
from db.tables import Image, state_is

RATE_OVER_S = 120.0
IDLE_S = 30.0
"""A pause longer than a slow worker makes between two batches: nothing was being screened in it."""


@dataclass(frozen=True, slots=True)
class Backlog:
    """Images that wait or run now, and how those of the last hour ended."""

    queued: int
    running: int
    oldest_queued_at: datetime | None
    failed_last_hour: int
    done_last_hour: int


def read(session: Session, now: datetime) -> Backlog:
    def count(state: ImageState, *, since: datetime | None = None) -> int:
        query = select(func.count()).select_from(Image).where(state_is(state))
        return session.scalars(query if since is None else query.where(Image.finished_at >= since)).one()

    hour_ago = now - timedelta(hours=1)
    oldest = session.scalars(select(func.min(Image.created_at)).where(state_is(ImageState.QUEUED))).one()
    return Backlog(
        queued=count(ImageState.QUEUED),
        running=count(ImageState.RUNNING),
        oldest_queued_at=oldest,
        failed_last_hour=count(ImageState.FAILED, since=hour_ago),
        done_last_hour=count(ImageState.DONE, since=hour_ago),
    )


def queue_length(session: Session, *, at_most: int, interactive_of: int | None = None) -> int:
    """How many images are queued, counted no further than `at_most`.

    With `interactive_of`, only the interactive images of that user. It reads an index of the queued images alone.
    """
    some = select(Image.id).where(state_is(ImageState.QUEUED))
    if interactive_of is not None:
        some = some.where(Image.user_id == interactive_of, Image.priority == Priority.INTERACTIVE)
    return session.scalars(select(func.count()).select_from(some.limit(at_most).subquery())).one()


def done_since(session: Session, since: datetime) -> int:
    """How many images were screened since then."""
    return session.scalars(
        select(func.count()).select_from(Image).where(state_is(ImageState.DONE), Image.finished_at >= since)
    ).one()


def images_per_s(session: Session, now: datetime) -> float | None:
    """How fast images have been screened since the last pause, two minutes ago at most; None: too few to tell."""
    rows = session.execute(
        select(Image.finished_at, func.count())
        .where(state_is(ImageState.DONE), Image.finished_at >= now - timedelta(seconds=RATE_OVER_S))
        .group_by(Image.finished_at)
        .order_by(Image.finished_at.desc())
    )
    began, total, first = now, 0, 0
    for finished_at, count in rows:
        if finished_at is None or (began - finished_at).total_seconds() > IDLE_S:
            break
        began, total, first = finished_at, total + count, count
    # The batch that finished first was screened before `began`, so it does not count.
    return (total - first) / (now - began).total_seconds() if total > first else None
