"""What people and the sweeper do to a job and its images, each state change one conditional UPDATE.

The functions take a session and never commit: the caller owns `with database.begin() as session`. A condition that
does not hold any more means that somebody else got there first, which is never an error: the row is left alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, case, select, update
from sqlalchemy.orm import Session

from core.errors import beyond_retry
from core.populations import Population
from db import dialect
from db.claims import pick_queued
from db.states import FINAL_STATES, ImageState, Priority
from db.tables import Image, Job, state_is, state_is_unindexed


@dataclass(frozen=True, slots=True)
class NewImage:
    """One file whose bytes are already in the blob store."""

    filename: str
    sha256: str
    media_type: str
    size_bytes: int
    width_px: int
    height_px: int


def create(
    session: Session,
    *,
    user_id: int,
    name: str,
    priority: Priority,
    client_key: str | None,
    now: datetime,
    expected_images: int | None = None,
    population: Population | None = None,
) -> tuple[Job, bool]:
    """A new job, or the one that this user made before with the same `client_key`; and whether it is new.

    An old job takes over `expected_images`, if given: the folder that is sent may have grown since.
    """
    values = {
        "user_id": user_id,
        "name": name,
        "priority": priority,
        "client_key": client_key,
        "created_at": now,
        "expected_images": expected_images,
        "population": population,
    }
    # An absent key is NULL, which conflicts with nothing.
    insert = dialect.insert(session, Job).values(values).on_conflict_do_nothing()
    new = session.scalars(insert.returning(Job)).one_or_none()
    if new is not None:
        return new, True
    job = session.scalars(select(Job).where(Job.user_id == user_id, Job.client_key == client_key)).one()
    if expected_images is not None:
        job.expected_images = expected_images
    return job, False


def add_images(
    session: Session, job: Job, new: Sequence[NewImage], now: datetime, *, published_at: datetime | None = None
) -> list[Image]:
    """Add `queued` rows for `new`; return them in the same order. A file that is in the job already keeps its row.

    A caller that gives `published_at` publishes right after the commit, and calls `unpublish` if the broker refuses.
    Writing the time after the message would lock the rows just when the worker that the message woke wants to claim
    them.
    """
    if not new:
        return []
    common: dict[str, Any] = {
        "job_id": job.id,
        "priority": job.priority,
        "user_id": job.user_id,
        "state": ImageState.QUEUED,
        "attempt": 0,
        "created_at": now,
        "published_at": published_at,
    }
    rows = [common | {name: getattr(image, name) for name in NewImage.__slots__} for image in new]
    session.execute(dialect.insert(session, Image).on_conflict_do_nothing(), rows)
    stored = session.scalars(
        select(Image).where(Image.job_id == job.id, Image.sha256.in_({image.sha256 for image in new}))
    )
    by_key = {(image.sha256, image.filename): image for image in stored}
    return [by_key[image.sha256, image.filename] for image in new]


def known(session: Session, *, user_id: int, sha256s: Iterable[str]) -> dict[str, NewImage]:
    """Files that this user sent before, by sha256. Uploads of other users do not count: a hash gives no access."""
    rows = session.scalars(
        select(Image).join(Job).where(Job.user_id == user_id, Image.sha256.in_(set(sha256s))).order_by(Image.id)
    )
    return {
        row.sha256: NewImage(row.filename, row.sha256, row.media_type, row.size_bytes, row.width_px, row.height_px)
        for row in rows
    }


def take_unpublished(
    session: Session, *, older_than: datetime, limit: int, published_before: datetime | None, now: datetime
) -> list[tuple[int, Priority]]:
    """Queued images that were never published, stamped as published: the caller publishes right after the commit.

    With `published_before`, also those that were published before then, for when the broker has lost its messages. A
    time that is as far in the future counts as that old: the clock has been set back since.
    """
    conditions: list[ColumnElement[bool]] = [
        Image.published_at.is_(None) & ~Image.created_at.between(older_than, now + (now - older_than))
    ]
    if published_before is not None:
        conditions.append(~Image.published_at.between(published_before, now + (now - published_before)))
    due: list[tuple[int, Priority]] = []
    for priority in (Priority.INTERACTIVE, Priority.BULK):
        for condition in conditions:  # one after the other: an OR would use no index
            picked = pick_queued((Image.priority == priority) & condition, limit - len(due))
            rows = session.scalars(
                update(Image)
                .where(Image.id.in_(picked), state_is_unindexed(ImageState.QUEUED))
                .values(published_at=now)
                .returning(Image.id)
                .execution_options(synchronize_session=False)
            )
            due += [(image_id, priority) for image_id in sorted(rows)]
    return due


def unpublish(session: Session, image_ids: Sequence[int]) -> None:
    """Note that the broker did not take these images: the next sweep publishes them."""
    queued = Image.id.in_(image_ids) & state_is_unindexed(ImageState.QUEUED)
    session.execute(update(Image).where(queued).values(published_at=None))


def cancel(session: Session, job: Job, now: datetime) -> int:
    """Cancel what is still queued; what a worker holds is finished, since its result is as good as any."""
    job.cancelled_at = job.cancelled_at or now
    rows = session.scalars(
        update(Image)
        .where(Image.job_id == job.id, state_is(ImageState.QUEUED))
        .values(state=ImageState.CANCELLED, finished_at=now)
        .returning(Image.id)
        .execution_options(synchronize_session=False)
    ).all()
    return len(rows)


def retry(session: Session, job: Job, *, published_at: datetime | None = None) -> list[int]:
    """Queue a job's cancelled images again, and the failed ones that a retry can help, with all attempts; their ids.

    An image that crashed before stays a suspect: it might crash a batch again. `published_at` is as in `add_images`.
    """
    job.cancelled_at = None
    return _queue_again(session, Image.job_id == job.id, published_at)


def retry_image(session: Session, image: Image, *, published_at: datetime | None = None) -> bool:
    """Queue one image again, as `retry` does; whether it was one that `retry` takes."""
    return bool(_queue_again(session, Image.id == image.id, published_at))


def _queue_again(session: Session, condition: ColumnElement[bool], published_at: datetime | None) -> list[int]:
    helps = Image.error_code.is_(None) | Image.error_code.not_in(beyond_retry())
    suspicion = case((Image.crashes > 0, 1), else_=0)
    rows = session.scalars(
        update(Image)
        .where(condition, Image.state.in_(FINAL_STATES - {ImageState.DONE}), helps)
        .values(
            state=ImageState.QUEUED,
            attempt=suspicion,
            crashes=suspicion,
            error_code=None,
            error_message=None,
            finished_at=None,
            published_at=published_at,
        )
        .returning(Image.id)
        .execution_options(synchronize_session=False)
    )
    return sorted(rows)
