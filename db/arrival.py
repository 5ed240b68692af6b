"""How many of the files that a sender declared have arrived: an upload that was cut off must not look finished."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db.session import now
from db.tables import Image, Job, Rejection

SILENT_FOR = timedelta(seconds=60)
"""An upload of which nothing arrives for this long was probably cut off: a page was closed, or a network is down."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """The files of one job: declared (None: the sender did not say), rejected, and missing.

    `silent`: files are missing, and none has arrived for a minute.
    """

    expected: int | None = None
    rejected: int = 0
    missing: int = 0
    silent: bool = False


NOTHING_DECLARED = Arrival()


def arrival(session: Session, job: Job, received: int) -> Arrival:
    """`received`: how many files of the job became images."""
    rejected = session.scalars(select(func.count()).select_from(Rejection).where(Rejection.job_id == job.id)).one()
    missing = 0 if job.expected_images is None else max(0, job.expected_images - received - rejected)
    silent = missing > 0 and now(session) - _last_came(session, job) > SILENT_FOR
    return Arrival(job.expected_images, rejected, missing, silent)


def _last_came(session: Session, job: Job) -> datetime:
    """When the newest file of a job arrived; without a file, when the job was made."""
    newest_image = select(Image.created_at).where(Image.job_id == job.id).order_by(Image.id.desc()).limit(1)
    newest_rejection = select(func.max(Rejection.at)).where(Rejection.job_id == job.id)
    times = [session.scalars(query).one_or_none() for query in (newest_image, newest_rejection)]
    return max([job.created_at, *(time for time in times if time is not None)])
