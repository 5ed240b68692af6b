"""Jobs, and the files of a job that were not taken in."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from core.populations import Population
from db.states import Priority
from db.tables.base import MAX_FILENAME, Base, Id, partial_index


class Job(Base):
    __tablename__ = "jobs"
    __table_args__ = (
        Index(None, "user_id", "client_key", unique=True),
        # For the few jobs that are being erased.
        partial_index("ix_jobs_deleted", "id", where="deleted_at IS NOT NULL"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    priority: Mapped[Priority]
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    client_key: Mapped[str | None] = mapped_column(String(64), doc="Makes a repeated submit resume this job.")
    created_at: Mapped[datetime]
    cancelled_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None] = mapped_column(doc="Hidden from then on, and erased step by step.")
    population: Mapped[Population | None] = mapped_column(
        doc="As whose its images are judged; NULL: each is found out by itself."
    )
    expected_images: Mapped[int | None] = mapped_column(doc="Files that the sender declared; NULL: it did not say.")


class Rejection(Base):
    """A file of a job that was not taken in, and why. Its name may identify a patient, so it is erased with the job.

    The foreign key cascades because the release before, which does not know this table, may erase jobs too.
    """

    __tablename__ = "rejections"
    __table_args__ = (
        # Sending a file again changes nothing.
        Index("uq_rejections", "job_id", "filename", "sha256", unique=True),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    filename: Mapped[str] = mapped_column(String(MAX_FILENAME))
    sha256: Mapped[str] = mapped_column(String(64), doc="Empty when the bytes were not read to their end.")
    code: Mapped[str] = mapped_column(String(64))
    message: Mapped[str] = mapped_column(String(500))
    at: Mapped[datetime]
