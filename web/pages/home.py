"""The start: send images, see what the service is doing. The form works without scripts; upload.js only betters it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from flask import abort, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import FileStorage

from db import queries, workers
from db.queries import Backlog
from db.session import now
from db.states import Priority
from web import uploads
from web.admission import admission
from web.auth import user
from web.pages.base import blueprint
from web.pages.words import counted, duration, is_are
from web.services import services

RECENT_JOBS = 8

STUCK_S = 60.0
"""An image that waits this long while nothing runs tells that something is wrong."""


@dataclass(frozen=True, slots=True)
class Service:
    """What to expect of the service now, in one word and one sentence; `kind` picks the badge."""

    kind: str
    word: str
    sentence: str


def service_line(alive: int, backlog: Backlog, at: datetime) -> Service:
    """The state of workers and queue for somebody who wants a result."""
    if not alive:
        return Service(
            "failed", "No worker", "No worker is running: uploads are kept and will be screened when one starts."
        )
    oldest = backlog.oldest_queued_at
    if oldest is not None and not backlog.running and at - oldest > timedelta(seconds=STUCK_S):
        waited = duration(at - oldest)
        return Service("failed", "Stuck", f"Images have waited for {waited} and none is running: tell the operator.")
    running = f"{counted(alive, 'worker')} {is_are(alive)} running"
    if not backlog.queued:
        return Service("good", "Ready", f"{running} and nothing waits.")
    return Service("good", "Working", f"{running}; {counted(backlog.queued, 'image')} waiting.")


@blueprint.get("/")
def home() -> str:
    ours = services()
    with ours.database.read() as session:
        at = now(session)
        service = service_line(len(workers.alive(session, at)), queries.backlog(session, at), at)
        found = queries.jobs(session, limit=RECENT_JOBS).items
        jobs = [(job, queries.progress(session, job)) for job in found]
    return render_template(
        "home.html", service=service, jobs=jobs, max_file_bytes=ours.settings.max_upload_bytes, user=user()
    )


@blueprint.post("/")
def upload() -> ResponseReturnValue:
    """The form without scripts: the files of one request make one job."""
    files = [file for file in request.files.getlist("files") if file.filename]
    if not files:
        abort(400, "No file was chosen. Go back, choose at least one JPEG or PNG image, and send again.")
    priority = _priority()
    admission().admit(user().id, priority)
    received = uploads.receive_new(user().id, _job_name(files), priority, files)
    refused = [item for item in received if isinstance(item, uploads.Rejected)]
    job_id = next((item.job_id for item in received if not isinstance(item, uploads.Rejected)), None)
    if not refused:
        return redirect(url_for("pages.job", job_id=job_id), 303)
    accepted = len(received) - len(refused)
    page = render_template(
        "upload_refused.html", refused=refused, accepted=accepted, total=len(received), job_id=job_id
    )
    return page, 200 if accepted else 422


def _job_name(files: list[FileStorage]) -> str:
    """The user's own words, else a count: a file name may name a patient."""
    return request.form.get("name", "").strip() or counted(len(files), "image")


def _priority() -> Priority:
    try:
        return Priority(request.form.get("priority", Priority.INTERACTIVE))
    except ValueError:
        abort(400, "The choice of how soon is damaged. Go back and send again.")
