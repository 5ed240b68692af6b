"""Carries out deletions and removals in short transactions. Several processes may do this at once."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from datetime import timedelta

from db import audit
from db.audit import Action, Actor, Kind
from db.limits import within
from db.retention import blobs, deletion
from db.session import Database, now
from db.stores import StoreCheck
from db.tables import Job
from storage.base import BlobStore

ORPHANED_AFTER_S = 24 * 3600.0
"""A spool, or a blob without a row, that is older than this belongs to no running upload."""

PREFIXES = 256
"""Parts of the blob store, by the first byte of the hash: `mark_orphaned` looks through one at a time."""


@dataclass(frozen=True, slots=True)
class Erased:
    """`blobs`: how many were removed from the store. `done`: nothing is left to do."""

    blobs: int
    done: bool


def erase(database: Database, store: BlobStore, *, for_s: float = math.inf) -> Erased:
    """Erase deleted jobs, then the bytes that no image refers to, for about `for_s`.

    Raises:
        StorageUnavailable: the rows are erased, but the bytes are not: the store does not answer, or it is another
            one than this database's. The next call tries again.
    """
    deadline_s = time.monotonic() + for_s
    with database.read() as session:
        deleted = deletion.deleted_jobs(session)
    for job_id in deleted:
        while not _erase_some(database, job_id):
            if time.monotonic() >= deadline_s:
                return Erased(0, done=False)
    removed = 0
    while (some := _remove_some(database, store)) is not None:
        removed += some
        if time.monotonic() >= deadline_s:
            return Erased(removed, done=False)
    return Erased(removed, done=True)


def _erase_some(database: Database, job_id: int) -> bool:
    with database.begin() as session:
        return deletion.erase_some(session, job_id, now(session))


def _remove_some(database: Database, store: BlobStore) -> int | None:
    """Remove some blobs; None if nothing was to be removed, which is checked without the lock that uploads wait for."""
    with database.read() as session:
        if not blobs.removals_pending(session):
            return None
    StoreCheck(database, store).require()
    with database.begin() as session:
        return blobs.remove_some(session, store, now(session))


def orphaned_before() -> float:
    """The time in seconds of the epoch, by this host's clock, since the times of files are by that clock too."""
    return time.time() - ORPHANED_AFTER_S


def count_expired(database: Database, *, older_than: timedelta) -> int:
    """How many jobs `purge` would mark."""
    with within(None), database.read() as session:
        return len(deletion.expired_jobs(session, before=now(session) - older_than))


def purge(database: Database, actor: Actor, *, older_than: timedelta, limit: int = 100) -> list[int]:
    """Mark some of the jobs in which nothing happened for that long as deleted; their ids. An empty list: none is left.

    `erase` erases them.
    """
    with within(None), database.begin() as session:  # it reads all jobs of a large archive
        at = now(session)
        expired = list(deletion.expired_jobs(session, before=at - older_than, limit=limit))
        for job_id in expired:
            images = deletion.mark_deleted(session, session.get_one(Job, job_id), at)
            detail = f"{images} images, idle for {older_than.days} days"
            audit.record(session, actor, Action.PURGED, at, kind=Kind.JOB, object_id=job_id, detail=detail)
    return expired


def purge_abandoned(database: Database, actor: Actor) -> list[int]:
    """Mark declared uploads of which no image came as deleted; their ids. `erase` erases them."""
    with database.begin() as session:
        at = now(session)
        abandoned = deletion.mark_abandoned(session, at)
        for job_id in abandoned:
            detail = "no image came of its upload"
            audit.record(session, actor, Action.PURGED, at, kind=Kind.JOB, object_id=job_id, detail=detail)
    return abandoned


def mark_orphaned(database: Database, store: BlobStore, first_byte: int, *, dry_run: bool = False) -> int:
    """Ask for the removal of old blobs that no image refers to; how many. `erase` removes them.

    Args:
        first_byte: of their sha256: one call is for one of 256 parts of the store.

    Raises:
        StorageUnavailable: the store does not answer, or it is missing or another one than this database's.
    """
    StoreCheck(database, store).require()
    count = 0
    old = store.stored_before(first_byte, orphaned_before())
    for start in range(0, len(old), deletion.ERASE_LIMIT):
        with database.begin() as session:
            orphaned = blobs.unreferenced(session, old[start : start + deletion.ERASE_LIMIT])
            count += len(orphaned)
            if not dry_run:
                blobs.ask_removal(session, orphaned, now(session))
    return count
