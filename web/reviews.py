"""What a person says of a prediction: the one path of pages and API."""

from __future__ import annotations

from werkzeug.exceptions import Conflict, NotFound

from db import queries
from db.audit import Action, Kind
from db.session import now
from db.states import Decision, Opinion
from db.tables import Review
from web import audit, uploads
from web.auth import user
from web.services import services

MAX_NOTE_CHARS = 500


def review(image_id: int, opinion: Opinion, note: str) -> None:
    """Add the signed-in user's review of the primary prediction of an image.

    Raises:
        NotFound: no such image.
        Conflict: it has no prediction, or the model refused to judge it.
    """
    with services().database.begin() as session:
        image = queries.image(session, image_id)
        if image is None:
            raise NotFound(f"There is no image {image_id}.")
        uploads.existing_job(session, image.job_id)  # nobody deletes it under our hands
        primary = image.primary_prediction
        if primary is None:
            raise Conflict(f"There is nothing to review yet: image {image_id} is {image.state}.")
        if primary.decision is Decision.REFUSED:
            raise Conflict(f"There is nothing to agree with: the model did not judge image {image_id}.")
        session.add(
            Review(
                prediction_id=primary.id,
                user_id=user().id,
                opinion=opinion,
                note=" ".join(note.split())[:MAX_NOTE_CHARS],
                created_at=now(session),
            )
        )
        audit.did(session, Action.REVIEWED, Kind.IMAGE, image_id, opinion)
