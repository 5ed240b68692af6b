"""The tables. An image row is its own outbox: `queued` with `published_at` empty means the doorbell is still to ring.

Times are UTC. Ids are never reused (AUTOINCREMENT on SQLite), so a late message cannot name a newer row.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    ColumnElement,
    DateTime,
    Enum,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    func,
    literal,
    text,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from sqlalchemy.schema import MetaData
from sqlalchemy.types import TypeDecorator

from db.states import Decision, ImageState, ModelRole, Opinion, Priority, Role

MAX_FILENAME = 512
"""Characters; at four bytes each it still fits PostgreSQL's limit for an indexed value."""

Id = BigInteger().with_variant(Integer(), "sqlite")


class UtcDateTime(TypeDecorator[datetime]):
    """An aware datetime in UTC. SQLite keeps no zone, so it is put back on reading."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone reached the database")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value


def _enum(kind: type[StrEnum]) -> Enum:
    """Stored as its value in a VARCHAR with a CHECK, so that adding a word is a plain migration."""
    return Enum(
        kind,
        native_enum=False,
        create_constraint=True,
        length=16,
        name=kind.__name__.lower(),
        values_callable=lambda e: [member.value for member in e],
    )


def _partial(name: str, *columns: str, where: str) -> Index:
    """An index of the rows that meet the condition `where`, and no others."""
    return Index(name, *columns, sqlite_where=text(where), postgresql_where=text(where))


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012  # SQLAlchemy's own declaration
        datetime: UtcDateTime,
        ImageState: _enum(ImageState),
        Priority: _enum(Priority),
        Decision: _enum(Decision),
        ModelRole: _enum(ModelRole),
        Role: _enum(Role),
        Opinion: _enum(Opinion),
    }


def is_modelled(name: str | None, _kind: str, _parents: object) -> bool:
    """Whether something of the database is described here, for Alembic. Not so the index of names, unlike on each."""
    return name is None or not name.startswith("image_names")


class User(Base):
    __tablename__ = "users"
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    name: Mapped[str] = mapped_column(String(64), unique=True)
    password_hash: Mapped[str | None] = mapped_column(String(256))
    role: Mapped[Role]
    created_at: Mapped[datetime]
    disabled_at: Mapped[datetime | None]


class Token(Base):
    """An API token. Only its sha256 is kept: the token itself is 256 random bits, so no slow hash is needed."""

    __tablename__ = "tokens"
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    token_sha256: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    scopes: Mapped[str | None] = mapped_column(String(64), doc="Words of `Scope`, by spaces; NULL: all its user may.")
    user: Mapped[User] = relationship(lazy="joined")


class Job(Base):
    __tablename__ = "jobs"
    __table_args__ = (
        Index(None, "user_id", "client_key", unique=True),
        # The few that are being erased, found without a look at all others.
        _partial("ix_jobs_deleted", "id", where="deleted_at IS NOT NULL"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    priority: Mapped[Priority]
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    client_key: Mapped[str | None] = mapped_column(String(64), doc="Makes a repeated submit resume this job.")
    created_at: Mapped[datetime]
    cancelled_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None] = mapped_column(doc="Out of sight from then on; erased a little at a time.")
    expected_images: Mapped[int | None] = mapped_column(doc="Files that the sender declared; NULL: it did not say.")


class Image(Base):
    __tablename__ = "images"
    __table_args__ = (
        Index(None, "job_id", "sha256", "filename", unique=True),
        Index("ix_images_job_id_id", "job_id", "id"),
        Index("ix_images_job_id_state_id", "job_id", "state", "id"),
        # All that a job's progress is made of: read from the index alone, a hundred thousand images take milliseconds.
        Index("ix_images_progress", "job_id", "state", "decision", "id", "finished_at"),
        # These small indexes hold just the rows in work, whatever the size of the archive behind them. Where rows are
        # counted they begin with the state, though it is always the same: SQLite would else look it up in each row.
        _partial("ix_images_queued", "priority", "id", where="state = 'queued'"),
        _partial("ix_images_queued_of_user", "user_id", "priority", "id", where="state = 'queued'"),
        _partial("ix_images_unpublished", "priority", "id", where="state = 'queued' AND published_at IS NULL"),
        _partial("ix_images_suspected", "priority", "crashes", "id", where="state = 'queued' AND crashes > 0"),
        _partial("ix_images_running", "state", "lease_expires_at", where="state = 'running'"),
        Index("ix_images_sha256", "sha256"),
        # The history, by whatever leads it (`db/narrowing.py`). Those of the rare states hold nothing else.
        Index("ix_images_created_at_id", "created_at", "id"),
        Index("ix_images_user_id_created_at_id", "user_id", "created_at", "id"),
        _partial("ix_images_decided", "decision", "created_at", "id", where="decision IS NOT NULL"),
        _partial("ix_images_waiting", "state", "created_at", "id", where="state = 'queued'"),
        _partial("ix_images_failed", "state", "created_at", "id", "user_id", where="state = 'failed'"),
        _partial("ix_images_cancelled", "state", "created_at", "id", "user_id", where="state = 'cancelled'"),
        _partial("ix_images_finished", "state", "finished_at", where="finished_at IS NOT NULL"),
        # Who names a prediction: the foreign key asks it of each one that is erased.
        _partial("ix_images_primary_prediction_id", "primary_prediction_id", where="primary_prediction_id IS NOT NULL"),
        # What a worker of the release before has finished.
        _partial("ix_images_without_primary", "id", where="state = 'done' AND primary_prediction_id IS NULL"),
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


def state_is(state: ImageState) -> ColumnElement[bool]:
    """`state = 'queued'` with the word itself in the SQL: a bound value could not use the partial indexes."""
    return Image.state == literal(state, Image.state.type, literal_execute=True)


def still(state: ImageState) -> ColumnElement[bool]:
    """`state_is` for rows that are named by their ids, in a form that no index answers.

    SQLite, which keeps no statistics, would else walk all rows in that state, be they a million, to find the few ids.
    """
    return func.coalesce(Image.state, "") == literal(state, Image.state.type, literal_execute=True)


class Model(Base):
    """A checkpoint that was imported, or that a worker has loaded: results outlive its file."""

    __tablename__ = "models"

    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    name: Mapped[str] = mapped_column(String(128))
    card: Mapped[dict[str, Any]] = mapped_column(JSON)
    created_at: Mapped[datetime]


class Deployment(Base):
    """A model is primary or shadow since `since`, until `until` (NULL: to this day).

    While no row says which one is primary, it is the model that comes with the release.
    """

    __tablename__ = "deployments"
    __table_args__ = (
        Index(
            "uq_deployments_primary",
            "role",
            unique=True,
            sqlite_where=text("role = 'primary' AND until IS NULL"),
            postgresql_where=text("role = 'primary' AND until IS NULL"),
        ),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    model_sha256: Mapped[str] = mapped_column(ForeignKey("models.sha256"))
    role: Mapped[ModelRole]
    since: Mapped[datetime]
    deployed_by: Mapped[str] = mapped_column(String(64), doc="The name of a user, or `(cli)`.")
    until: Mapped[datetime | None]
    model: Mapped[Model] = relationship(lazy="raise")


class Prediction(Base):
    __tablename__ = "predictions"
    __table_args__ = (
        Index(None, "image_id", "model_sha256", unique=True),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    image_id: Mapped[int] = mapped_column(ForeignKey("images.id"))
    model_sha256: Mapped[str] = mapped_column(ForeignKey("models.sha256"))
    probability: Mapped[float] = mapped_column(Float, doc="Of pneumonia, calibrated, 0 to 1.")
    threshold: Mapped[float] = mapped_column(Float, doc="The model's operating point when it decided.")
    decision: Mapped[Decision]
    domain_score: Mapped[float | None] = mapped_column(Float, doc="How unlike the training images; NULL: not told.")
    domain_limit: Mapped[float | None] = mapped_column(Float, doc="Above it the model refuses to judge.")
    reason: Mapped[str | None] = mapped_column(String(300), doc="Why it was refused, as a sentence.")
    cam: Mapped[bytes | None] = mapped_column(LargeBinary(98), doc="Class activation map, see imaging/cam.py.")
    notes: Mapped[str | None] = mapped_column(String(300), doc="What makes it less reliable, as sentences.")
    box: Mapped[list[int] | None] = mapped_column(
        JSON(none_as_null=True),
        doc="The upright picture's width and height, then left, top, right, bottom of the part that was judged.",
    )
    created_at: Mapped[datetime]
    model: Mapped[Model] = relationship(lazy="raise")
    reviews: Mapped[list[Review]] = relationship(lazy="raise", order_by="Review.id")


class Review(Base):
    """What a person said of a prediction. A second thought is a second row: nothing that was said is overwritten."""

    __tablename__ = "reviews"
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    prediction_id: Mapped[int] = mapped_column(ForeignKey("predictions.id"), index=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    opinion: Mapped[Opinion]
    note: Mapped[str] = mapped_column(String(500))
    created_at: Mapped[datetime]
    user: Mapped[User] = relationship(lazy="raise")


class Rejection(Base):
    """A file of a job that was not taken in, and why. Its name may identify a patient: it is erased with the job.

    The release before this table erases jobs too: hence the cascade.
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


class Worker(Base):
    """One row a worker process: who is alive, with which model. Written by its heartbeat."""

    __tablename__ = "workers"

    name: Mapped[str] = mapped_column(String(128), primary_key=True)
    engine: Mapped[str] = mapped_column(String(64))
    model_sha256: Mapped[str] = mapped_column(ForeignKey("models.sha256"))
    started_at: Mapped[datetime]
    seen_at: Mapped[datetime] = mapped_column(index=True)
    batches: Mapped[int] = mapped_column(default=0)
    images: Mapped[int] = mapped_column(default=0)
    paused_reason: Mapped[str | None] = mapped_column(String(300), doc="Why it claims nothing, as a sentence.")
    model_problem: Mapped[str | None] = mapped_column(
        String(300), doc="Why it runs another model than the deployed one, as a sentence."
    )


class Heartbeat(Base):
    """When a part of the service that is not a worker was last at work; `db/heartbeats.py` has the names."""

    __tablename__ = "heartbeats"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    seen_at: Mapped[datetime]


class RecordedStore(Base):
    """The id in the marker of the blob store that holds this database's images: one row; see `db/stores.py`."""

    __tablename__ = "blob_stores"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, doc="Always 1.")
    store_id: Mapped[str] = mapped_column(String(32))
    recorded_at: Mapped[datetime]


class AuditEntry(Base):
    """Who did what to what, and when. Triggers of the database refuse to change or delete a row.

    No foreign keys: an entry outlives what it tells of, and says who it was by the name of that time. No file names.
    """

    __tablename__ = "audit_entries"
    __table_args__ = (
        Index("ix_audit_entries_actor_id", "actor", "id"),
        Index("ix_audit_entries_action_id", "action", "id"),
        Index("ix_audit_entries_object", "object_kind", "object_id", "id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    at: Mapped[datetime]
    actor: Mapped[str] = mapped_column(String(64), doc="A user's name; `(cli)`, `(sweeper)`, `(unknown)`.")
    user_id: Mapped[int | None] = mapped_column(BigInteger)
    role: Mapped[str | None] = mapped_column(String(16))
    action: Mapped[str] = mapped_column(String(32))
    object_kind: Mapped[str | None] = mapped_column(String(16))
    object_id: Mapped[int | None] = mapped_column(BigInteger)
    detail: Mapped[str] = mapped_column(String(200))
    address: Mapped[str | None] = mapped_column(String(45), doc="The client's, as the web process saw it.")


class BlobRemoval(Base):
    """Bytes that no image named when this row was written, to be removed or just removed; see `db/retention.py`."""

    __tablename__ = "blob_removals"

    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    asked_at: Mapped[datetime]
    removed_at: Mapped[datetime | None] = mapped_column(index=True)


class Preview(Base):
    """The upright gray picture of an upload that browsers show differently or not at all; it goes with the upload."""

    __tablename__ = "previews"

    sha256: Mapped[str] = mapped_column(String(64), primary_key=True, doc="Of the upload.")
    jpeg: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime]


class SignInFailures(Base):
    """Failed sign-ins under one key in its present window. The key is a hash: a password typed as a name stays out."""

    __tablename__ = "sign_in_failures"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    count: Mapped[int]
    window_ends_at: Mapped[datetime] = mapped_column(index=True)


class BrowserSession(Base):
    """A signed-in browser. Only the sha256 of its id is kept; the id itself is in its cookie. No address is kept."""

    __tablename__ = "sessions"

    id_sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime] = mapped_column(index=True, doc="The last request of a person, up to a minute late.")
    expires_at: Mapped[datetime] = mapped_column(index=True, doc="Its absolute end, however much it is used.")
    data: Mapped[dict[str, Any]] = mapped_column(JSON, doc="What the pages keep in it: messages, a form typed in vain.")
    user: Mapped[User] = relationship(lazy="joined", innerjoin=True)


class Search(Base):
    """A text that a user searched for, known to addresses by its key alone: it may be a patient's name."""

    __tablename__ = "searches"
    __table_args__ = (Index(None, "user_id", "key", unique=True), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    key: Mapped[str] = mapped_column(String(32))
    text: Mapped[str] = mapped_column(String(200))
    expires_at: Mapped[datetime] = mapped_column(index=True)
