"""Jobs: the list, one job with its progress and images; cancel, retry, delete."""

from __future__ import annotations

from collections.abc import Sequence

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from core.plural import counted
from db import rejections, workers
from db.audit import Kind
from db.listing import jobs as job_list
from db.listing.order import Sort
from db.listing.page import Page
from db.progress import Progress, count_beyond_retry, progress_of
from db.session import now
from db.states import Decision, ImageState, JobState
from db.tables import Image, Rejection, User
from services import deletion
from services.jobs import MAX_ID, get_job
from web import permissions
from web.auth import caller, user
from web.dependencies import dependencies
from web.pages import place
from web.pages.base import blueprint, cursor
from web.pages.job.shown import job_filters
from web.pages.words import DECISION_WORDS, STATE_WORDS
from web.permissions import Permission

JOBS_ON_A_PAGE = 25
IMAGES_ON_A_PAGE = 50
REJECTED_ON_A_PAGE = 100
CHOICES = {d.value: DECISION_WORDS[d] for d in Decision} | {s.value: STATE_WORDS[s] for s in ImageState}
NO_WORKER = "No worker is running: the images are kept and will be screened when one starts."


@blueprint.get("/jobs")
def jobs() -> str:
    with dependencies().database.read() as session:
        page = job_list.page(session, cursor=cursor(), limit=JOBS_ON_A_PAGE)
        rows = [(job, progress_of(session, job)) for job in page.items]
    return render_template("job/list.html", jobs=rows, cursor=cursor(), next_cursor=page.next_cursor)


@blueprint.get(f"/jobs/<int(max={MAX_ID}):job_id>")
def job(job_id: int) -> str:
    show = request.args.get("show", "")
    filters = job_filters(job_id, show)
    deps = dependencies()
    with deps.database.read() as session:
        row = get_job(session, job_id)
        progress = progress_of(session, row)
        shown = permissions.may(user(), Permission.SEE_IMAGES, row.user_id)
        page: Page[Image] = Page([], None)
        start: int | None = None
        rejected: Page[Rejection] = Page([], None)
        if shown:
            page, start = place.page_here(session, filters, Sort.OLDEST, IMAGES_ON_A_PAGE)
            rejected = rejections.page(session, job_id, limit=REJECTED_ON_A_PAGE)
        owner = session.get_one(User, row.user_id).name
        someone_works = bool(workers.alive(session, now(session)))
        hopeless = count_beyond_retry(session, row) if progress.counts[ImageState.FAILED] else 0
    over = is_over(progress)
    if shown:
        deps.view_log.record(caller(), Kind.JOB, job_id, "page", "list")
    return render_template(
        "job/view.html",
        job=row,
        shown=shown,
        may_change=permissions.may(user(), Permission.CHANGE_JOBS, row.user_id),
        may_delete=permissions.may(user(), Permission.DELETE_JOBS, row.user_id),
        owner=owner,
        progress=progress,
        over=over,
        waiting="" if not progress.unfinished or someone_works else NO_WORKER,
        cut_off=cut_off(progress),
        rejected=rejected.items,
        more_rejected=rejected.next_cursor is not None,
        tiles=tiles(progress),
        retry_word=retry_word(progress, hopeless),
        hopeless=hopeless_words(hopeless),
        images=page.items,
        choices=CHOICES,
        show=show,
        list_query={"list": place.JOB, "show": show} if show else {},
        cursor=start,
        next_cursor=page.next_cursor,
    )


@blueprint.post(f"/jobs/<int(max={MAX_ID}):job_id>/cancel")
def cancel_job(job_id: int) -> ResponseReturnValue:
    cancelled = dependencies().jobs.cancel(caller(), job_id)
    flash(f"{counted(cancelled, 'queued image')} cancelled. Images already being screened are finished.", "good")
    return redirect(url_for("pages.job", job_id=job_id), 303)


@blueprint.post(f"/jobs/<int(max={MAX_ID}):job_id>/retry")
def retry_job(job_id: int) -> ResponseReturnValue:
    queued, left = dependencies().jobs.retry(caller(), job_id)
    words = f"{counted(queued, 'image')} queued again. {hopeless_words(left)}".strip()
    flash(words, "good" if queued else "warning")
    return redirect(url_for("pages.job", job_id=job_id), 303)


@blueprint.post(f"/jobs/<int(max={MAX_ID}):job_id>/delete")
def delete_job(job_id: int) -> ResponseReturnValue:
    deps = dependencies()
    images = deletion.delete_job(deps.database, deps.store, caller(), job_id)
    flash(f"Job {job_id} deleted with {counted(images, 'image')}, their results and their reviews.", "good")
    return redirect(url_for("pages.jobs"), 303)


def is_over(progress: Progress) -> bool:
    """Whether nothing changes any more, so that pages need not be renewed. An incomplete job may get more images."""
    return progress.state in (JobState.DONE, JobState.CANCELLED) and progress.finished == progress.total


def tiles(progress: Progress) -> Sequence[tuple[str, str, int]]:
    """(icon, words, count): the decisions, then the other states. Rare ones are left out while their count is 0."""
    decisions = [(d.value, DECISION_WORDS[d], progress.decisions[d]) for d in (Decision.PNEUMONIA, Decision.NORMAL)]
    refused = (Decision.REFUSED.value, DECISION_WORDS[Decision.REFUSED], progress.decisions[Decision.REFUSED])
    states = [(s.value, STATE_WORDS[s], progress.counts[s]) for s in ImageState if s is not ImageState.DONE]
    rejected = ("rejected", "Rejected", progress.arrival.rejected)
    always = {ImageState.FAILED.value}
    if not is_over(progress):
        always |= {ImageState.QUEUED.value, ImageState.RUNNING.value}
    return [*decisions, *(t for t in (refused, *states, rejected) if t[2] or t[0] in always)]


def retry_word(progress: Progress, hopeless: int = 0) -> str:
    """The words on the retry button; empty when the job has no image that a retry can help."""
    failed, cancelled = progress.counts[ImageState.FAILED] - hopeless, progress.counts[ImageState.CANCELLED]
    kinds = [word for word, count in (("failed", failed), ("cancelled", cancelled)) if count]
    return f"Retry {failed + cancelled:,} {' and '.join(kinds)}" if kinds else ""


def hopeless_words(hopeless: int) -> str:
    """What to do about failed images that a retry can't help."""
    if not hopeless:
        return ""
    if hopeless == 1:
        return "A retry can't help 1 failed image: its file itself is at fault. Export it anew and send it again."
    return (
        f"A retry can't help {hopeless:,} failed images: their files themselves are at fault. "
        "Export them anew and send them again."
    )


def cut_off(progress: Progress) -> str:
    """What to do about an upload that stopped before its end."""
    came = progress.arrival
    if not came.silent:
        return ""
    if not progress.total:
        return "The upload stopped before an image was taken in. Send the files again."
    return (
        f"The upload stopped: {progress.total + came.rejected:,} of {counted(came.expected or 0, 'file')} received. "
        "What came is kept and screened; send the others again."
    )
