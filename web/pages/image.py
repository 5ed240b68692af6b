"""One image: the X-ray, what the model said of it and what that is worth, or why there is no result."""

from __future__ import annotations

from flask import abort, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from db import queries, workers
from db.models import Image
from db.queries import Filters
from db.session import now
from db.states import FINAL_STATES, Decision, ImageState
from web import uploads
from web.pages.base import API_ROOT, MAX_ID, blueprint
from web.pages.verdict import absence, verdict
from web.pages.words import DECISION_WORDS, prediction
from web.services import services


@blueprint.get(f"/images/<int(max={MAX_ID}):image_id>")
def image(image_id: int) -> str:
    with services().database.read() as session:
        found = queries.image(session, image_id)
        if found is None:
            abort(404, f"There is no image {image_id}.")
        previous_id = _neighbour(session, found, before=True)
        next_id = _neighbour(session, found, before=False)
        someone_works = bool(workers.alive(session, now(session)))
    newest = prediction(found)
    missing = absence(found, someone_works=someone_works)
    has_map = newest is not None and newest.cam is not None and newest.decision is not Decision.REFUSED
    return render_template(
        "image.html",
        image=found,
        file_url=f"{API_ROOT}/images/{image_id}/file",
        map_url=f"{API_ROOT}/images/{image_id}/cam" if has_map else "",
        prediction=newest,
        verdict=verdict(newest) if newest else None,
        absence=missing,
        image_words=DECISION_WORDS[newest.decision] if newest else missing.title,
        over=is_over(found),
        previous_id=previous_id,
        next_id=next_id,
    )


@blueprint.post(f"/images/<int(max={MAX_ID}):image_id>/retry")
def retry_image(image_id: int) -> ResponseReturnValue:
    if uploads.retry_image(image_id):
        flash("The image is queued again.", "good")
    else:
        flash("Nothing to retry: the image did not fail, or somebody has retried it already.", "good")
    return redirect(url_for("pages.image", image_id=image_id), 303)


def is_over(found: Image) -> bool:
    return ImageState(found.state) in FINAL_STATES


def _neighbour(session: Session, found: Image, *, before: bool) -> int | None:
    """The image next to this one in its job, in the order of upload."""
    filters = Filters(job_id=found.job_id)
    page = queries.images(session, filters, cursor=found.id, limit=1, newest_first=before)
    return page.items[0].id if page.items else None
