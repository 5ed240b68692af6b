"""The page of one image: the X-ray, its prediction or why there is none, and reviews."""

from __future__ import annotations

from flask import abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from core.errors import beyond_retry
from db import previews, workers
from db.audit import Kind
from db.session import now
from db.states import FINAL_STATES, Decision, ImageState, Opinion
from db.tables import Image
from services import reviews
from services.jobs import MAX_ID, get_image
from web import permissions, unsent_forms
from web.auth import caller, user
from web.dependencies import dependencies
from web.pages.base import API_ROOT, blueprint
from web.pages.image.map_view import describe_map
from web.pages.image.prediction_view import absence, describe
from web.pages.image.xray import xray_of
from web.pages.place import kept_query, place_of
from web.pages.words import DECISION_WORDS, OPINION_WORDS, prediction
from web.permissions import Permission


@blueprint.post(f"/images/<int(max={MAX_ID}):image_id>/review")
def review(image_id: int) -> ResponseReturnValue:
    try:
        opinion = Opinion(request.form.get("opinion", ""))
    except ValueError:
        abort(400, "Choose whether you agree, disagree or are unsure, and save again.")
    reviews.review(dependencies().database, caller(), image_id, opinion, request.form.get("note", ""))
    page = url_for("pages.image", image_id=image_id)
    unsent_forms.forget(page)
    flash("Your review is saved.", "good")
    return redirect(url_for("pages.image", image_id=image_id, **kept_query()), 303)


@blueprint.get(f"/images/<int(max={MAX_ID}):image_id>")
def image(image_id: int) -> str:
    deps = dependencies()
    with deps.database.read() as session:
        row = get_image(session, image_id)
        someone_works = bool(workers.alive(session, now(session)))
        has_picture = previews.has(session, row.sha256)
    place = place_of(row)
    with deps.database.read() as session:
        previous_id, next_id = place.neighbours(session, row)
    deps.view_log.record(caller(), Kind.IMAGE, image_id, "page", "file", "picture", "map", "result")
    primary = prediction(row)
    missing = absence(row, someone_works=someone_works)
    judged = primary is not None and primary.decision is not Decision.REFUSED
    may_review = judged and permissions.may_open(user(), "pages.review")
    return render_template(
        "image/view.html",
        image=row,
        file_url=f"{API_ROOT}/images/{image_id}/file",
        xray=xray_of(
            row,
            primary,
            file_url=f"{API_ROOT}/images/{image_id}/file",
            picture_url=f"{API_ROOT}/images/{image_id}/picture",
            has_picture=has_picture,
        ),
        map=describe_map(primary),
        map_url=f"{API_ROOT}/images/{image_id}/cam",
        prediction=primary,
        view=describe(primary) if primary else None,
        absence=missing,
        image_words=DECISION_WORDS[primary.decision] if primary else missing.title,
        over=is_over(row),
        may_retry=_can_retry(row) and permissions.may(user(), Permission.CHANGE_JOBS, row.job.user_id),
        may_review=may_review,
        show_review=primary is not None and (judged or bool(primary.reviews)),
        opinions=OPINION_WORDS,
        typed=unsent_forms.fields(),
        max_note_chars=reviews.MAX_NOTE_CHARS,
        place=place,
        previous_id=previous_id,
        next_id=next_id,
    )


@blueprint.post(f"/images/<int(max={MAX_ID}):image_id>/retry")
def retry_image(image_id: int) -> ResponseReturnValue:
    queued, hopeless = dependencies().jobs.retry_image(caller(), image_id)
    if queued:
        flash("The image is queued again.", "good")
    elif hopeless:
        flash("Not queued again: the fault lies in the file itself, and a retry would end as before.", "warning")
    else:
        flash("Nothing to retry: the image did not fail, or somebody has retried it already.", "good")
    return redirect(url_for("pages.image", image_id=image_id, **kept_query()), 303)


def _can_retry(image: Image) -> bool:
    """Whether `jobs.retry_image` would queue it again."""
    failed = image.state is ImageState.FAILED and image.error_code not in beyond_retry()
    return failed or image.state is ImageState.CANCELLED


def is_over(image: Image) -> bool:
    return ImageState(image.state) in FINAL_STATES
