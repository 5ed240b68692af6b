"""Deleting a job with its images, results, reviews and bytes: the one path of pages and API."""

from __future__ import annotations

import structlog
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import NotFound

from core.errors import StorageUnavailable
from db.audit import Action, Kind
from db.retention import deletion, erasure
from db.session import now
from db.tables import Job
from web import audit
from web.quantities import counted
from web.services import services

ERASE_FOR_S = 5.0
"""Longer than a job of a few thousand images takes; the sweeper erases what is left of a larger one."""

log = structlog.get_logger()


def delete_job(job_id: int) -> int:
    """Out of sight when this returns, and mostly gone already; how many images it had. Raises NotFound."""
    ours = services()
    with ours.database.begin() as session:
        job = session.get(Job, job_id, with_for_update=True)
        if job is None or job.deleted_at is not None:
            raise NotFound(f"There is no job {job_id}.")
        images = deletion.mark_deleted(session, job, now(session))
        audit.did(session, Action.DELETED, Kind.JOB, job_id, counted(images, "image"))
    try:
        erasure.erase(ours.database, ours.store, for_s=ERASE_FOR_S)
    except (StorageUnavailable, SQLAlchemyError) as error:  # the sweeper goes on
        log.warning("not_erased_yet", job_id=job_id, error=type(error).__name__)
    return images
