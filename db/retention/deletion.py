"""Deletion of jobs.

A deleted job is hidden at once (`jobs.deleted_at`). Then the process that deletes it erases its rows, a thousand at a
time; if that process dies, the sweeper does. The bytes are removed after the rows (`db/retention/blobs.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import delete, exists, func, or_, select
from sqlalchemy.orm import Session

from db import dialect, jobs, rejections
from db.retention.blobs import ask_removal
from db.states import ImageState
from db.tables import Image, Job, Prediction, Review

ERASE_LIMIT = 1000
"""Images erased in one transaction. It takes some tens of milliseconds, for which other writers of SQLite wait."""

ABANDONED_FOR = timedelta(days=1)
"""A declared upload without an image is abandoned after this time."""


def mark_deleted(session: Session, job: Job, now: datetime) -> int:
    """Hide a job, cancel its queued images, and free its client's key; how many images it has.

    Uploads to this job lock its row (`FOR SHARE`). This waits for those that have begun; later ones find it deleted.
    """
    jobs.cancel(session, job, now)
    job.deleted_at = now
    job.client_key = None
    session.flush()
    return session.scalars(select(func.count()).select_from(Image).where(Image.job_id == job.id)).one()


def deleted_jobs(session: Session) -> Sequence[int]:
    """The ids of deleted jobs that are not erased yet."""
    return session.scalars(select(Job.id).where(Job.deleted_at.is_not(None)).order_by(Job.id)).all()


def expired_jobs(session: Session, *, before: datetime, limit: int | None = None) -> Sequence[int]:
    """Jobs without unfinished images, in which nothing was sent or finished since `before`; the oldest first."""
    later = or_(
        Image.state.in_((ImageState.QUEUED, ImageState.RUNNING)),
        Image.created_at >= before,
        Image.finished_at >= before,
    )
    return session.scalars(
        select(Job.id)
        .where(Job.created_at < before, Job.deleted_at.is_(None), ~exists().where(Image.job_id == Job.id, later))
        .order_by(Job.id)
        .limit(limit)
    ).all()


def mark_abandoned(session: Session, now: datetime) -> list[int]:
    """Mark jobs as deleted that declared files long ago and never got an image; their ids. No list shows them."""
    empty = ~exists().where(Image.job_id == Job.id)
    declared = Job.expected_images.is_not(None) & (Job.created_at < now - ABANDONED_FOR) & Job.deleted_at.is_(None)
    some = dialect.skip_locked(select(Job).where(declared, empty).limit(ERASE_LIMIT))
    declared_jobs = session.scalars(some).all()
    # Uploads wait for these locks. An image that one of them added just before is seen by a second query only.
    filled = set(session.scalars(select(Image.job_id).where(Image.job_id.in_([job.id for job in declared_jobs]))))
    abandoned = [job for job in declared_jobs if job.id not in filled]
    for job in abandoned:
        mark_deleted(session, job, now)
    return [job.id for job in abandoned]


def erase_some(session: Session, job_id: int, now: datetime, *, limit: int = ERASE_LIMIT) -> bool:
    """Erase some images or rejections of a deleted job, and at last the job; True once the job is erased.

    The removal of the bytes is asked for. The rows are locked first: this waits for a worker that finishes one of them
    at this moment, and a later worker finds nothing to finish. So no prediction is left without its image.
    """
    images = session.execute(
        select(Image.id, Image.sha256).where(Image.job_id == job_id).order_by(Image.id).limit(limit).with_for_update()
    ).all()
    ids = [row.id for row in images]
    if ids:
        of_these = select(Prediction.id).where(Prediction.image_id.in_(ids))
        unread = {"synchronize_session": False}
        session.execute(delete(Review).where(Review.prediction_id.in_(of_these)).execution_options(**unread))
        session.execute(delete(Prediction).where(Prediction.image_id.in_(ids)).execution_options(**unread))
        session.execute(delete(Image).where(Image.id.in_(ids)).execution_options(**unread))
        ask_removal(session, (row.sha256 for row in images), now)
        return False
    if rejections.erase_some(session, job_id, limit=limit):
        return False
    # Perhaps there were no images because another process was just erasing them: then more may be left.
    emptied = ~exists().where(Image.job_id == Job.id)
    session.execute(
        delete(Job)
        .where(Job.id == job_id, Job.deleted_at.is_not(None), emptied)
        .execution_options(synchronize_session=False)
    )
    return not session.scalars(select(exists().where(Job.id == job_id))).one()
