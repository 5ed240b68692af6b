"""Removal of the bytes that no image and no model refers to any more.

    a row is deleted and a row of blob_removals written, in one transaction
    -> the blob is removed from the store, unless a row refers to it again

Images share blobs, and an upload stores its bytes before its row, so an upload and a removal of the same bytes may run
at the same time. `lock_blobs`, which uploads call, and `remove_some` exclude each other: on PostgreSQL by an advisory
lock that uploads share, on SQLite by the one write lock. So a removal sees the rows of every upload before it. An
upload after it finds the row in blob_removals and checks whether its bytes still exist; if not, it is refused as a
whole, and the client sends them again. The row stays for a day, also if the removal was cut off before its commit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import delete, exists, select
from sqlalchemy.orm import Session

from core.errors import StorageUnavailable
from db import dialect, previews
from db.dialect import Lock
from db.tables import BlobRemoval, Image, Model
from storage.base import BlobStore

REMOVE_LIMIT = 100
"""Blobs removed in one transaction, for which uploads wait."""

REMOVED_FOR = timedelta(days=1)
"""How long a removed blob is remembered: longer than any upload takes from its bytes to its row."""


def ask_removal(session: Session, sha256s: Iterable[str], now: datetime) -> None:
    """Ask for the removal of these blobs, unless an image or a model refers to them; it may be asked twice."""
    rows = [{"sha256": sha256, "asked_at": now, "removed_at": None} for sha256 in sorted(set(sha256s))]
    if not rows:
        return
    insert = dialect.insert(session, BlobRemoval)
    again = {"asked_at": insert.excluded.asked_at, "removed_at": None}
    session.execute(insert.on_conflict_do_update(index_elements=["sha256"], set_=again), rows)


def removals_pending(session: Session) -> bool:
    return bool(session.scalars(select(exists().where(BlobRemoval.removed_at.is_(None)))).one())


def remove_some(session: Session, store: BlobStore, now: datetime, *, limit: int = REMOVE_LIMIT) -> int:
    """Remove some of the blobs that no image and no model refers to; how many.

    A blob that the store refuses to remove is tried again after all others.

    Raises:
        StorageUnavailable: the store refused all of them; roll back and try again later.
    """
    dialect.lock(session.connection(), Lock.BLOBS)
    pending = session.scalars(
        select(BlobRemoval).where(BlobRemoval.removed_at.is_(None)).order_by(BlobRemoval.asked_at).limit(limit)
    ).all()
    referenced = _referenced(session, [row.sha256 for row in pending])
    previews.remove(session, {row.sha256 for row in pending} - referenced)
    refused: list[StorageUnavailable] = []
    for row in pending:
        if row.sha256 in referenced:
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
    return len(pending) - len(referenced) - len(refused)


def forget_removed(session: Session, now: datetime) -> None:
    """Delete the rows of removals that no upload can need any more."""
    session.execute(delete(BlobRemoval).where(BlobRemoval.removed_at < now - REMOVED_FOR))


def lock_blobs(session: Session, sha256s: Iterable[str], is_there: Callable[[str], bool]) -> bool:
    """Prevent removals until the end of this transaction, which adds images or a model of these stored bytes.

    Returns False if some were removed since they were stored. `is_there` is called only for blobs whose removal was
    asked for.
    """
    dialect.lock(session.connection(), Lock.BLOBS, shared=True)
    doubtful = session.scalars(select(BlobRemoval.sha256).where(BlobRemoval.sha256.in_(set(sha256s))))
    return all(is_there(sha256) for sha256 in doubtful)


def unreferenced(session: Session, sha256s: Sequence[str]) -> set[str]:
    """The hashes that no image and no model has."""
    return set(sha256s) - _referenced(session, sha256s)


def _referenced(session: Session, sha256s: Sequence[str]) -> set[str]:
    """The hashes that an image has, or a model, whether or not it is deployed."""
    images = session.scalars(select(Image.sha256).where(Image.sha256.in_(sha256s)))
    checkpoints = session.scalars(select(Model.sha256).where(Model.sha256.in_(sha256s)))
    return {*images, *checkpoints}
