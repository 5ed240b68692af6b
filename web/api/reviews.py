"""What a clinician says of a prediction."""

from __future__ import annotations

from typing import Annotated

from flask import Response
from pydantic import Field

from db.states import Opinion
from services import reviews
from services.jobs import get_image
from web.api.base import as_json, blueprint
from web.api.fields import ImagePath, Problem, Schema
from web.api.images import Image
from web.auth import caller
from web.dependencies import dependencies


class NewReview(Schema):
    opinion: Opinion
    note: Annotated[str, Field(max_length=500)] = ""


@blueprint.post("/images/<int:image_id>/review", responses={201: Image, 409: Problem})
def review_image(path: ImagePath, body: NewReview) -> Response:
    """Say what you think of the newest prediction. A second review is added; the first is kept."""
    deps = dependencies()
    reviews.review(deps.database, caller(), path.image_id, body.opinion, body.note)
    with deps.database.read() as session:
        image = Image.of(get_image(session, path.image_id))
    return as_json(image, 201)
