"""Which images of a job its page shows: all of them, or those of one decision or state."""

from __future__ import annotations

from flask import abort

from db.listing.filters import Filters
from db.states import Decision, ImageState


def job_filters(job_id: int, show: str) -> Filters:
    """The images that `show`, a decision or a state, stands for. Another word ends the request with 400."""
    if not show:
        return Filters(job_id=job_id)
    if show in set(Decision):
        return Filters(job_id=job_id, decision=Decision(show))
    if show not in set(ImageState):
        abort(400, "The page was asked to show images of an unknown kind. Choose one from the list.")
    return Filters(job_id=job_id, state=ImageState(show))
