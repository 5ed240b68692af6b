"""Images. A row is its own outbox: `queued` with `published_at` empty means that no message was sent for it yet."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import BigInteger, ColumnElement, Float, ForeignKey, Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from db import dialect
from db.states import ImageState, Priority
from db.tables.base import MAX_FILENAME, Base, Id, partial_index
from db.tables.jobs import Job

if TYPE_CHECKING:
    from db.tables.predictions import Prediction


FILTERED = ("state", "decision", "view", "opinion", "model", "user_id", "job_id", "assignee_id")
"""Columns that lists are filtered by."""
UNJUDGED = 1.0
"""The `suspicion_rank` of an image that has no probability: it comes after all that have one."""


class Image(Base):
    __tablename__ = "images"
    __table_args__ = (
        Index(None, "job_id", "sha256", "filename", unique=True),
        Index("ix_images_job_id_id", "job_id", "id"),
        Index("ix_images_job_id_state_id", "job_id", "state", "id"),
        # All columns that a job's progress is counted from: the index answers, in milliseconds for 100,000 images.
        Index("ix_images_progress", "job_id", "state", "decision", "id", "finished_at"),
        # These small indexes have only images that are not finished, however large the archive. Those for counting
        # begin with the state, though it is always the same: SQLite would otherwise read it from each row.
        partial_index("ix_images_queued", "priority", "id", where="state = 'queued'"),
        partial_index("ix_images_queued_of_user", "user_id", "priority", "id", where="state = 'queued'"),
        partial_index("ix_images_unpublished", "priority", "id", where="state = 'queued' AND published_at IS NULL"),
        partial_index("ix_images_suspected", "priority", "crashes", "id", where="state = 'queued' AND crashes > 0"),
        partial_index("ix_images_running", "state", "lease_expires_at", where="state = 'running'"),
        Index("ix_images_sha256", "sha256"),
        # For the history: one index for each condition that may lead (`db/listing/filters.py`).
        Index("ix_images_created_at_id", "created_at", "id"),
        Index("ix_images_user_id_created_at_id", "user_id", "created_at", "id"),
        partial_index("ix_images_decided", "decision", "created_at", "id", where="decision IS NOT NULL"),
        partial_index("ix_images_viewed", "view", "created_at", "id", where="view IS NOT NULL"),
        partial_index("ix_images_reviewed", "created_at", "id", "opinion", where="opinion IS NOT NULL"),
        partial_index("ix_images_assigned", "assignee_id", "created_at", "id", where="assignee_id IS NOT NULL"),
        # The other orders of the worklist. The columns behind a key are filters: the index answers them all.
        Index("ix_images_by_suspicion", "suspicion_rank", "created_at", "id", *FILTERED),
        Index("ix_images_by_name", "filename", "id", "suspicion_rank", "created_at", *FILTERED),
        partial_index("ix_images_waiting", "state", "created_at", "id", where="state = 'queued'"),
        partial_index("ix_images_failed", "state", "created_at", "id", "user_id", where="state = 'failed'"),
        partial_index("ix_images_cancelled", "state", "created_at", "id", "user_id", where="state = 'cancelled'"),
        partial_index("ix_images_finished", "state", "finished_at", where="finished_at IS NOT NULL"),
        # For the foreign key, which looks for the image of each prediction that is erased.
        partial_index(
            "ix_images_primary_prediction_id", "primary_prediction_id", where="primary_prediction_id IS NOT NULL"
        ),
        # For images that a worker of the release before has finished.
        partial_index("ix_images_without_primary", "id", where="state = 'done' AND primary_prediction_id IS NULL"),
        partial_index("ix_images_without_model", "id", where="state = 'done' AND model IS NULL"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id"))
    filename: Mapped[str] = mapped_column(String(MAX_FILENAME), doc="As the user named it; shown, never opened.")
    sha256: Mapped[str] = mapped_column(String(64), doc="Names the bytes in the blob store.")
    media_type: Mapped[str] = mapped_column(String(32))
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    width_px: Mapped[int]
    height_px: Mapped[int]
    state: Mapped[ImageState]
    priority: Mapped[Priority]
    user_id: Mapped[int | None] = mapped_column(Id, doc="The job's, for the index of fair claims.")
    attempt: Mapped[int] = mapped_column(default=0, doc="Counts claims; a finish of another attempt is fenced out.")
    crashes: Mapped[int] = mapped_column(
        default=0, server_default="0", doc="Leases of it that ran out; above 0 it is tried alone."
    )
    primary_prediction_id: Mapped[int | None] = mapped_column(
        # Checked at the commit, so that predictions may be deleted before their images. Each table names the other:
        # `use_alter` tells SQLAlchemy which one comes first.
        ForeignKey("predictions.id", deferrable=True, initially="DEFERRED", use_alter=True),
        doc="The one that is shown and reviewed; NULL until the image is done.",
    )
    decision: Mapped[str | None] = mapped_column(String(16), doc="The primary prediction's, for covering indexes.")
    view: Mapped[str | None] = mapped_column(String(16), doc="The primary prediction's, for an index.")
    suspicion_rank: Mapped[float] = mapped_column(
        Float,
        default=UNJUDGED,
        server_default="1",
        doc="Minus the primary prediction's probability, if it was judged: ascending, the most suspicious come first.",
    )
    model: Mapped[str | None] = mapped_column(
        String(12), doc="The first digits of the sha256 of the primary prediction's model."
    )
    opinion: Mapped[str | None] = mapped_column(
        String(16), doc="The last review's of the primary prediction; a trigger on `reviews` keeps it."
    )
    assignee_id: Mapped[int | None] = mapped_column(Id, doc="The user who shall read it.")
    worker: Mapped[str | None] = mapped_column(String(128))
    lease_expires_at: Mapped[datetime | None]
    published_at: Mapped[datetime | None]
    error_code: Mapped[str | None] = mapped_column(String(32))
    error_message: Mapped[str | None] = mapped_column(String(500))
    created_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    job: Mapped[Job] = relationship(lazy="raise")
    predictions: Mapped[list[Prediction]] = relationship(
        lazy="raise", order_by="Prediction.id", foreign_keys="Prediction.image_id"
    )
    primary_prediction: Mapped[Prediction | None] = relationship(
        lazy="raise", foreign_keys=[primary_prediction_id], viewonly=True
    )


class Preview(Base):
    """The upright gray picture of an upload that browsers show differently or not at all; it goes with the upload."""

    __tablename__ = "previews"

    sha256: Mapped[str] = mapped_column(String(64), primary_key=True, doc="Of the upload.")
    jpeg: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime]


def state_is(state: ImageState) -> ColumnElement[bool]:
    """The condition `state = 'queued'`, which the partial indexes of that state answer."""
    return Image.state == dialect.inline(state, Image.state)


def state_is_unindexed(state: ImageState) -> ColumnElement[bool]:
    """`state_is` for rows that are named by their ids: no index of the state is asked."""
    return dialect.unindexed(Image.state) == dialect.inline(state, Image.state)
