"""The shapes of the API, from which the OpenAPI document is made."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from flask_openapi3.models.file import FileStorage
from pydantic import BaseModel, ConfigDict, Field

from core.errors import beyond_retry
from db import tables
from db.queries import Progress
from db.states import Decision, ImageState, JobState, Opinion, Priority, Role

MAX_ID = 2**63 - 1

MAX_DECLARED = 10_000_000

RecordId = Annotated[int, Field(ge=1, le=MAX_ID)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Cursor = Annotated[int | None, Field(ge=0, le=MAX_ID, description="`next_cursor` of the page before.")]
Limit = Annotated[int, Field(ge=1, le=500)]


class Schema(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Problem(BaseModel):
    """RFC 9457. `code` is stable; `detail` is for a person."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: list[dict[str, Any]] | None = None


class Error(Schema):
    code: str
    message: str


class ImageError(Error):
    retry_helps: bool = Field(description="False: it lies in the image's own bytes, and a retry ends as before.")


class WhoAmI(Schema):
    name: str
    role: Role


class JobPath(Schema):
    job_id: RecordId


class ImagePath(Schema):
    image_id: RecordId


class NewJob(Schema):
    name: str = Field("", max_length=200)
    priority: Priority = Priority.INTERACTIVE
    key: Annotated[str, Field(min_length=1, max_length=64)] | None = Field(
        None, description="Your own name for this submission: sending it again gives the same job."
    )
    expected_images: Annotated[int, Field(ge=1, le=MAX_DECLARED)] | None = Field(
        None,
        description="How many files you are going to send: while fewer came, the job is not `done`. "
        "Lists show such a job from its first image on.",
    )


class Job(Schema):
    id: int
    name: str
    priority: Priority
    state: JobState
    total: int
    counts: dict[ImageState, int]
    decisions: dict[Decision, int]
    created_at: datetime
    finished_at: datetime | None
    expected_images: int | None = Field(description="Files that the sender declared.")
    rejected: int = Field(description="Files that were not taken; `/jobs/{id}/rejected` lists them.")
    incomplete: bool = Field(description="Fewer files than declared came, and none for a minute: send them again.")

    @classmethod
    def of(cls, job: tables.Job, progress: Progress) -> Job:
        return cls(
            id=job.id,
            name=job.name,
            priority=job.priority,
            state=progress.state,
            total=progress.total,
            counts=progress.counts,
            decisions=progress.decisions,
            created_at=job.created_at,
            finished_at=progress.finished_at,
            expected_images=job.expected_images,
            rejected=progress.arrival.rejected,
            incomplete=progress.arrival.silent,
        )


class JobList(Schema):
    items: list[Job]
    next_cursor: int | None


class Model(Schema):
    name: str
    sha256: str


class Prediction(Schema):
    probability: float = Field(description="Of pneumonia, calibrated, 0 to 1.")
    decision: Decision
    threshold: float = Field(description="The model's operating point when it decided.")
    domain_score: float | None = Field(
        description="How unlike the model's training images this one is; null from a model that cannot tell."
    )
    domain_limit: float | None = Field(description="Above it the model refuses to judge.")
    reason: str | None = Field(description="Why the image was refused.")
    notes: str | None = Field(description="What makes the result less reliable: a small or a nearly uniform picture.")
    model: Model
    created_at: datetime


class NewReview(Schema):
    opinion: Opinion
    note: Annotated[str, Field(max_length=500)] = ""


class Review(Schema):
    opinion: Opinion
    note: str
    reviewer: str
    created_at: datetime


class Image(Schema):
    id: int
    job_id: int
    filename: str
    sha256: str
    media_type: str
    size_bytes: int
    width_px: int
    height_px: int
    state: ImageState
    attempt: int
    created_at: datetime
    finished_at: datetime | None
    error: ImageError | None
    prediction: Prediction | None = Field(description="Of the newest model that screened the image.")
    review: Review | None = Field(description="The last that somebody said of this prediction.")

    @classmethod
    def of(cls, row: tables.Image) -> Image:
        primary = row.primary_prediction
        made = {"error", "prediction", "review"}
        facts = {name: getattr(row, name) for name in cls.model_fields if name not in made}
        error = _error(row.error_code, row.error_message or "") if row.error_code else None
        review = _review(primary.reviews[-1]) if primary and primary.reviews else None
        return cls(**facts, error=error, prediction=_prediction(primary), review=review)


def _error(code: str, message: str) -> ImageError:
    return ImageError(code=code, message=message, retry_helps=code not in beyond_retry())


def _prediction(row: tables.Prediction | None) -> Prediction | None:
    if row is None:
        return None
    return Prediction(
        probability=row.probability,
        decision=row.decision,
        threshold=row.threshold,
        domain_score=row.domain_score,
        domain_limit=row.domain_limit,
        reason=row.reason,
        notes=row.notes,
        model=Model(name=row.model.name, sha256=row.model_sha256),
        created_at=row.created_at,
    )


def _review(row: tables.Review) -> Review:
    return Review(opinion=row.opinion, note=row.note, reviewer=row.user.name, created_at=row.created_at)


class ImageList(Schema):
    model_config = ConfigDict(extra="forbid") | {  # type: ignore[assignment]  # a key of flask-openapi3's
        "openapi_extra": {"content": {"text/csv": {"schema": {"type": "string"}}}}
    }

    items: list[Image]
    next_cursor: int | None


class Upload(BaseModel):
    files: list[FileStorage] = Field(min_length=1, max_length=1000, description="JPEG or PNG files.")


class SingleUpload(BaseModel):
    file: FileStorage = Field(description="One JPEG or PNG file.")


class Received(Schema):
    """One file of an upload: an image of the job, or what was wrong with it."""

    filename: str
    id: int | None = None
    sha256: str | None = None
    state: ImageState | None = None
    error: Error | None = None


class ReceivedList(Schema):
    images: list[Received]


class RejectedFile(Schema):
    filename: str = Field(min_length=1, max_length=4096)
    code: Annotated[str, Field(pattern="^[a-z][a-z0-9_]{0,63}$")] = "not_sent"
    message: str = Field(min_length=1, max_length=500, description="What was wrong with it, for a person.")


class RejectedFiles(Schema):
    files: list[RejectedFile] = Field(min_length=1, max_length=1000)


class Rejection(Schema):
    filename: str
    code: str
    message: str
    at: datetime


class RejectionList(Schema):
    items: list[Rejection]
    next_cursor: int | None


class KnownFile(Schema):
    filename: str = Field(min_length=1, max_length=4096)
    sha256: Sha256


class KnownFiles(Schema):
    images: list[KnownFile] = Field(min_length=1, max_length=1000)


class Known(Schema):
    filename: str
    sha256: str
    id: int | None = None
    state: ImageState | None = None
    missing: bool = Field(False, description="These bytes have to be uploaded.")


class KnownList(Schema):
    images: list[Known]


class ImageQuery(Schema):
    state: ImageState | None = None
    decision: Decision | None = None
    cursor: Cursor = None
    limit: Limit = 100
    format: Annotated[str, Field(pattern="^(json|csv)$")] = "json"


class ResultQuery(ImageQuery):
    since: datetime | None = Field(None, alias="from", description="Uploaded at or after this time (UTC if no zone).")
    until: datetime | None = Field(None, alias="to", description="Uploaded before this time (UTC if no zone).")
    filename: Annotated[str, Field(max_length=200)] | None = Field(
        None,
        description="Part of the file name. Proxies log addresses: if it may name a patient, use `search`.",
    )
    search: Annotated[str, Field(max_length=64)] | None = Field(
        None, description="Part of the file name, by the key that `POST /api/v1/searches` gave for it."
    )


class NewSearch(Schema):
    filename: str = Field(min_length=1, max_length=200, description="Part of a file name.")


class KeptSearch(Schema):
    search: str = Field(description="Stands for the text in `GET /api/v1/results?search=`, for this user alone.")
    expires_at: datetime


class JobsQuery(Schema):
    cursor: Cursor = None
    limit: Limit = 50


class PageQuery(Schema):
    cursor: Cursor = None
    limit: Limit = 100


class Changed(Schema):
    changed: int = Field(description="How many images this applied to.")
    left: int | None = Field(
        None, description="Failed images that a retry can't help, and so left alone; absent when there are none."
    )
