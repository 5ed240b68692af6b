"""Deleting a job with its images, results, reviews and bytes."""

from __future__ import annotations

import structlog
from sqlalchemy.exc import SQLAlchemyError

from core.errors import StorageUnavailable
from core.plural import counted
from db.audit import Action, Kind
from db.retention import deletion, erasure
from db.session import Database, now
from services.caller import Caller
from services.jobs import Lock, lock_job
from storage.base import BlobStore

ERASE_FOR_S = 5.0
"""Longer than a job of a few thousand images takes; the sweeper erases what is left of a larger one."""

log = structlog.get_logger()


def delete_job(database: Database, store: BlobStore, caller: Caller, job_id: int) -> int:
    """Delete a job; how many images it had. It is out of sight when this returns, and mostly gone. Raises NotFound."""
    with database.begin() as session:
        job = lock_job(session, job_id, Lock.DELETE)
        images = deletion.mark_deleted(session, job, now(session))
        caller.record(session, Action.DELETED, Kind.JOB, job_id, counted(images, "image"))
    try:
        erasure.erase(database, store, for_s=ERASE_FOR_S)
    except (StorageUnavailable, SQLAlchemyError) as error:  # the sweeper goes on
        log.warning("not_erased_yet", job_id=job_id, error=type(error).__name__)
    return images
