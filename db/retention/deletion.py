"""Deletion of jobs.

A deleted job is out of sight at once (`jobs.deleted_at`). Its rows are erased a thousand at a time, by whoever deletes
it and, should that process die, by the sweeper. The bytes follow (`db/retention/blobs.py`).
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
"""Images erased in one transaction: some tens of milliseconds, for which other writers of SQLite wait."""

ABANDONED_FOR = timedelta(days=1)
"""After this long nobody sends the first image of an upload any more."""


def mark_deleted(session: Session, job: Job, now: datetime) -> int:
    """Take a job out of sight; how many images it has. What is queued is not screened, its client's key is free again.

    Uploads to this job hold its row (`FOR SHARE`): they are waited for here, and find it deleted afterwards.
    """
    jobs.cancel(session, job, now)
    job.deleted_at = now
    job.client_key = None
    session.flush()
    return session.scalars(select(func.count()).select_from(Image).where(Image.job_id == job.id)).one()


def deleted_jobs(session: Session) -> Sequence[int]:
    """Those that are still to be erased."""
    return session.scalars(select(Job.id).where(Job.deleted_at.is_not(None)).order_by(Job.id)).all()


def expired_jobs(session: Session, *, before: datetime, limit: int | None = None) -> Sequence[int]:
    """Jobs in which nothing was sent or finished since `before`, and nothing is to be done; the oldest first."""
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
    """Mark the uploads that were declared long ago and of which no image ever came: no list shows them. Their ids."""
    empty = ~exists().where(Image.job_id == Job.id)
    declared = Job.expected_images.is_not(None) & (Job.created_at < now - ABANDONED_FOR) & Job.deleted_at.is_(None)
    some = dialect.skip_locked(select(Job).where(declared, empty).limit(ERASE_LIMIT))
    declared_jobs = session.scalars(some).all()
    # Uploads wait for these locks. What one of them added just before is seen only by a second query.
    filled = set(session.scalars(select(Image.job_id).where(Image.job_id.in_([job.id for job in declared_jobs]))))
    abandoned = [job for job in declared_jobs if job.id not in filled]
    for job in abandoned:
        mark_deleted(session, job, now)
    return [job.id for job in abandoned]


def erase_some(session: Session, job_id: int, now: datetime, *, limit: int = ERASE_LIMIT) -> bool:
    """Erase some images or rejections of a deleted job, or at last the job itself: True. Bytes are marked for removal.

    The rows are locked first: a worker that finishes one of them at this moment is waited for, and a later one finds
    nothing to finish, so no prediction is ever left without its image.
    """
    found = session.execute(
        select(Image.id, Image.sha256).where(Image.job_id == job_id).order_by(Image.id).limit(limit).with_for_update()
    ).all()
    ids = [row.id for row in found]
    if ids:
        of_these = select(Prediction.id).where(Prediction.image_id.in_(ids))
        unread = {"synchronize_session": False}
        session.execute(delete(Review).where(Review.prediction_id.in_(of_these)).execution_options(**unread))
        session.execute(delete(Prediction).where(Prediction.image_id.in_(ids)).execution_options(**unread))
        session.execute(delete(Image).where(Image.id.in_(ids)).execution_options(**unread))
        ask_removal(session, (row.sha256 for row in found), now)
        return False
    if rejections.erase_some(session, job_id, limit=limit):
        return False
    # None found may also mean that another process was just erasing these: then others may be left.
    emptied = ~exists().where(Image.job_id == Job.id)
    session.execute(
        delete(Job)
        .where(Job.id == job_id, Job.deleted_at.is_not(None), emptied)
        .execution_options(synchronize_session=False)
    )
    return not session.scalars(select(exists().where(Job.id == job_id))).one()
