"""What a clinician says of a prediction."""

from __future__ import annotations

from core.errors import Conflict
from db.audit import Action, Kind
from db.session import Database, now
from db.states import Decision, Opinion
from db.tables import Review
from services.caller import Caller
from services.jobs import Lock, get_image, lock_job

MAX_NOTE_CHARS = 500


def review(database: Database, caller: Caller, image_id: int, opinion: Opinion, note: str) -> None:
    """Add the review that `caller` gives of what the newest model said of an image.

    Raises:
        NotFound: no such image.
        Conflict: it has no prediction, or the model refused to judge it.
    """
    with database.begin() as session:
        image = get_image(session, image_id)
        lock_job(session, image.job_id, Lock.ADD)
        primary = image.primary_prediction
        if primary is None:
            raise Conflict(f"There is nothing to review yet: image {image_id} is {image.state}.")
        if primary.decision is Decision.REFUSED:
            raise Conflict(f"There is nothing to agree with: the model did not judge image {image_id}.")
        session.add(
            Review(
                prediction_id=primary.id,
                user_id=caller.user_id,
                opinion=opinion,
                note=" ".join(note.split())[:MAX_NOTE_CHARS],
                created_at=now(session),
            )
        )
        caller.record(session, Action.REVIEWED, Kind.IMAGE, image_id, opinion)
