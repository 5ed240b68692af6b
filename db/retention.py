"""Deletion of jobs, and of the bytes that no image and no model names any more.

A deleted job is out of sight at once (`jobs.deleted_at`); its rows are erased a thousand at a time, by whoever deletes
it and, should that process die, by the sweeper. The bytes follow:

    row gone, blob_removals row written (one transaction) -> unlinked under the lock below, unless named again

Blobs are shared and an upload stores its bytes before its row, so an upload and a removal of the same bytes may meet.
Uploads take `hold`, which the removal waits for, and the other way round: on PostgreSQL an advisory lock,
shared by uploads; on SQLite the one write lock. So a removal sees the rows of every upload before it, and an upload
after it finds the row in blob_removals, looks whether its bytes are still there, and if not is refused as a whole: the
client sends them again. The row stays for a day, also if the removal was cut off between unlinking and its commit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import delete, exists, func, or_, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from core.errors import StorageUnavailable
from db import jobs, previews, rejections
from db.models import BlobRemoval, Image, Job, Model, Prediction, Review
from db.states import ImageState
from storage.base import BlobStore

ERASE_LIMIT = 1000
"""Images erased in one transaction: some tens of milliseconds, for which other writers of SQLite wait."""

REMOVE_LIMIT = 100
"""Blobs removed while uploads wait."""

REMOVED_FOR = timedelta(days=1)
"""How long a removed blob is remembered: longer than any upload takes from its bytes to its row."""

ABANDONED_FOR = timedelta(days=1)
"""After this long nobody sends the first image of an upload any more."""

_LOCK_KEY = 0x626C6F6273  # "blobs": any number that nothing else in the database uses


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
    declared_jobs = session.scalars(
        select(Job).where(declared, empty).limit(ERASE_LIMIT).with_for_update(skip_locked=True)
    ).all()
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


def ask_removal(session: Session, sha256s: Iterable[str], now: datetime) -> None:
    """Have these blobs removed unless an image or a model names them; asking twice is no harm."""
    rows = [{"sha256": sha256, "asked_at": now, "removed_at": None} for sha256 in sorted(set(sha256s))]
    if not rows:
        return
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    insert = dialect.insert(BlobRemoval)
    again = {"asked_at": insert.excluded.asked_at, "removed_at": None}
    session.execute(insert.on_conflict_do_update(index_elements=["sha256"], set_=again), rows)


def removals_pending(session: Session) -> bool:
    return bool(session.scalars(select(exists().where(BlobRemoval.removed_at.is_(None)))).one())


def remove_some(session: Session, store: BlobStore, now: datetime, *, limit: int = REMOVE_LIMIT) -> int:
    """Remove some of the blobs that no image and no model names; how many.

    One that the store refuses to remove goes to the end of the queue.

    Raises:
        StorageUnavailable: it refused all of them; roll back and try again later.
    """
    _lock(session, "pg_advisory_xact_lock")
    pending = session.scalars(
        select(BlobRemoval).where(BlobRemoval.removed_at.is_(None)).order_by(BlobRemoval.asked_at).limit(limit)
    ).all()
    named = _named(session, [row.sha256 for row in pending])
    previews.remove(session, {row.sha256 for row in pending} - named)
    refused: list[StorageUnavailable] = []
    for row in pending:
        if row.sha256 in named:
            session.delete(row)
            continue
        try:
            store.delete(row.sha256)
            row.removed_at = now
        except StorageUnavailable as error:
            refused.append(error)
            row.asked_at = now
    if refused and len(refused) == len(pending):
        raise refused[0]
    return len(pending) - len(named) - len(refused)


def forget_removed(session: Session, now: datetime) -> None:
    """Drop the marks that no upload can need any more."""
    session.execute(delete(BlobRemoval).where(BlobRemoval.removed_at < now - REMOVED_FOR))


def hold(session: Session, sha256s: Iterable[str], is_there: Callable[[str], bool]) -> bool:
    """Keep removals out until the end of this transaction, which adds images or a model of these stored bytes.

    False: some were removed since they were stored. The store is asked only for what a removal has been asked for.
    """
    _lock(session, "pg_advisory_xact_lock_shared")
    doubtful = session.scalars(select(BlobRemoval.sha256).where(BlobRemoval.sha256.in_(set(sha256s))))
    return all(is_there(sha256) for sha256 in doubtful)


def unnamed(session: Session, sha256s: Sequence[str]) -> set[str]:
    """Those that neither an image nor a model names."""
    return set(sha256s) - _named(session, sha256s)


def _named(session: Session, sha256s: Sequence[str]) -> set[str]:
    """Those that an image names, or that are the checkpoint of a model, whether or not it is deployed."""
    images = session.scalars(select(Image.sha256).where(Image.sha256.in_(sha256s)))
    checkpoints = session.scalars(select(Model.sha256).where(Model.sha256.in_(sha256s)))
    return {*images, *checkpoints}


def _lock(session: Session, function: str) -> None:
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text(f"SELECT {function}(:key)"), {"key": _LOCK_KEY})  # one of two words of ours
