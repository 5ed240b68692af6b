"""Jobs: find, start, cancel and retry them, whoever asks: a page, the API or a DICOM receiver."""

from __future__ import annotations

from enum import Enum

from sqlalchemy.orm import Session

from core.errors import NotFound, beyond_retry
from core.plural import counted
from core.populations import Population
from db import jobs
from db.audit import Action, Kind
from db.listing import images
from db.progress import Progress, count_beyond_retry, progress_of
from db.session import Database, now
from db.states import ImageState, Priority
from db.tables import Image, Job
from services import filenames
from services.caller import Caller
from services.publishing import Publisher, publish

MAX_ID = 2**63 - 1
"""The largest id that a database holds; a larger number would be an error of PostgreSQL, and names nothing."""
MAX_NAME_CHARS = 200
PUBLISH_AT_ONCE = 1000
"""Images that are published while somebody waits for the answer. Woken workers claim all that are queued, published or
not, and the sweeper publishes the rest."""


def get_job(session: Session, job_id: int) -> Job:
    """Raises NotFound: there is no such job, or it is deleted."""
    return _job(session, job_id, lock=False)


class Lock(Enum):
    """What a transaction is about to do to a job, which decides how PostgreSQL locks its row. SQLite has one lock."""

    ADD = "add images or reviews: several transactions may do this at once"
    CHANGE = "cancel or retry it"
    DELETE = "delete it"


_FOR_UPDATE: dict[Lock, dict[str, bool] | bool] = {
    Lock.ADD: {"read": True},
    Lock.CHANGE: {"key_share": True},
    Lock.DELETE: True,
}


def lock_job(session: Session, job_id: int, lock: Lock) -> Job:
    """Find a job and lock its row: nobody else deletes it before this transaction ends. Raises NotFound."""
    return _job(session, job_id, lock=_FOR_UPDATE[lock])


def get_image(session: Session, image_id: int) -> Image:
    """An image with its job, predictions and reviews. Raises NotFound: there is none, or its job is deleted."""
    image = images.get(session, image_id) if image_id <= MAX_ID else None
    if image is None:
        raise NotFound(f"There is no image {image_id}.")
    return image


def create_job(
    session: Session,
    *,
    user_id: int,
    name: str,
    priority: Priority,
    client_key: str | None = None,
    expected_images: int | None = None,
    population: Population | None = None,
) -> tuple[Job, bool]:
    """A new job or, for a `client_key` that this user gave before, the job of that time; and whether it is new."""
    return jobs.create(
        session,
        user_id=user_id,
        name=filenames.clean(name)[:MAX_NAME_CHARS] or "Untitled",
        priority=priority,
        client_key=client_key,
        expected_images=expected_images,
        population=population,
        now=now(session),
    )


class Jobs:
    """What a user may do to a job or an image of it. Every change and its entry in the audit log commit together."""

    def __init__(self, database: Database, publisher: Publisher) -> None:
        self._database = database
        self._publisher = publisher

    def create(
        self,
        caller: Caller,
        name: str,
        priority: Priority,
        client_key: str | None = None,
        expected_images: int | None = None,
        population: Population | None = None,
    ) -> tuple[Job, Progress, bool]:
        """Start a job, as `create_job` does; the job, its progress, and whether it is new."""
        with self._database.begin() as session:
            job, new = create_job(
                session,
                user_id=caller.user_id,
                name=name,
                priority=priority,
                client_key=client_key,
                expected_images=expected_images,
                population=population,
            )
            return job, progress_of(session, job), new

    def cancel(self, caller: Caller, job_id: int) -> int:
        """Cancel what is still queued of a job; how many images. Raises NotFound."""
        with self._database.begin() as session:
            cancelled = jobs.cancel(session, lock_job(session, job_id, Lock.CHANGE), now(session))
            caller.record(session, Action.CANCELLED, Kind.JOB, job_id, counted(cancelled, "image"))
        return cancelled

    def retry(self, caller: Caller, job_id: int) -> tuple[int, int]:
        """Queue a job's cancelled images again, and the failed ones that a retry can help, and wake the workers.

        Returns how many were queued, and how many failed ones were left because a retry can't help them. Raises
        NotFound.
        """
        with self._database.begin() as session:
            job = lock_job(session, job_id, Lock.CHANGE)
            image_ids = jobs.retry(session, job, published_at=now(session))
            left = count_beyond_retry(session, job)
            caller.record(session, Action.RETRIED, Kind.JOB, job_id, counted(len(image_ids), "image"))
        publish(self._database, self._publisher, image_ids[:PUBLISH_AT_ONCE], job.priority)
        return len(image_ids), left

    def retry_image(self, caller: Caller, image_id: int) -> tuple[bool, bool]:
        """Queue one failed or cancelled image again and wake a worker.

        Returns whether it was one, and whether it was left because a retry can't help it. Raises NotFound.
        """
        with self._database.begin() as session:
            image = get_image(session, image_id)
            lock_job(session, image.job_id, Lock.CHANGE)
            hopeless = image.state is ImageState.FAILED and image.error_code in beyond_retry()
            queued = jobs.retry_image(session, image, published_at=now(session))
            if queued:
                caller.record(session, Action.RETRIED, Kind.IMAGE, image_id)
        if queued:
            publish(self._database, self._publisher, [image_id], image.priority)
        return queued, hopeless


def _job(session: Session, job_id: int, *, lock: dict[str, bool] | bool) -> Job:
    job = session.get(Job, job_id, with_for_update=lock) if job_id <= MAX_ID else None
    if job is None or job.deleted_at is not None:
        raise NotFound(f"There is no job {job_id}.")
    return job
