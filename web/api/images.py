"""One image: its state and what the model said of it."""

from __future__ import annotations

from datetime import datetime

from flask import Response
from pydantic import Field

from core.errors import beyond_retry
from core.kinds import ImageKind, View
from core.populations import Population, PopulationBy
from db import tables
from db.audit import Kind
from db.states import FINAL_STATES, Decision, ImageState, Opinion
from services.jobs import get_image
from web.api.base import as_json, blueprint, conditional
from web.api.fields import Changed, Error, ImagePath, Schema
from web.auth import caller
from web.dependencies import dependencies


class ImageError(Error):
    retry_helps: bool = Field(description="False: it lies in the image's own bytes, and a retry ends as before.")


class Model(Schema):
    name: str
    sha256: str


class Prediction(Schema):
    probability: float = Field(description="Of pneumonia, calibrated, 0 to 1.")
    decision: Decision
    threshold: float = Field(description="The operating point that was applied.")
    domain_score: float | None = Field(
        description="How unlike the model's training images this one is; null from a model that cannot tell."
    )
    domain_limit: float | None = Field(description="Above it the model refuses to judge.")
    reason: str | None = Field(description="Why the image was refused.")
    kind: ImageKind | None = Field(
        description="What the image shows: an upright frontal chest X-ray, or what it is instead; "
        "null from a model that cannot tell."
    )
    view: View | None = Field(description="How it was taken; null where that is not known.")
    population: Population | None = Field(
        description="As whose it was judged, a child's or an adult's; null from a model that judges all images alike."
    )
    population_by: PopulationBy | None = Field(
        description="How that was known: the patient's age, the network, or chosen for the job."
    )
    notes: str | None = Field(
        description="What makes the result less reliable: a small, a flat or a mostly empty picture."
    )
    model: Model
    created_at: datetime


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
    assignee_id: int | None = Field(description="The user who shall read it.")
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
        domain_score=row.ood_score,
        domain_limit=row.ood_limit,
        reason=row.reason,
        kind=row.kind,
        view=row.view,
        population=row.population,
        population_by=row.population_by,
        notes=row.notes,
        model=Model(name=row.model.name, sha256=row.model_sha256),
        created_at=row.created_at,
    )


def _review(row: tables.Review) -> Review:
    return Review(opinion=row.opinion, note=row.note, reviewer=row.user.name, created_at=row.created_at)


@blueprint.get("/images/<int:image_id>", responses={200: Image, 304: None})
def read_image(path: ImagePath) -> Response:
    """One image with its prediction or its error. Retry-After is set until it is finished."""
    deps = dependencies()
    with deps.database.read() as session:
        image = Image.of(get_image(session, path.image_id))
    deps.view_log.record(caller(), Kind.IMAGE, path.image_id, "result")
    response = as_json(image)
    if image.state not in FINAL_STATES:
        response.headers["Retry-After"] = "1"
    return conditional(response)


@blueprint.post("/images/<int:image_id>/retry", responses={200: Changed})
def retry_image(path: ImagePath) -> Response:
    """Queue one failed or cancelled image again; `changed` is 0 if it is neither, or a retry can't help it."""
    queued, hopeless = dependencies().jobs.retry_image(caller(), path.image_id)
    return as_json(Changed(changed=int(queued), left=int(hopeless) or None), exclude_none=True)
