"""The start: send images, see what the service is doing. The form works without scripts; upload.js adds progress."""

from __future__ import annotations

from dataclasses import dataclass

from flask import abort, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import FileStorage

from core.plural import counted
from core.populations import CHILD_BELOW_YEARS, Population
from db.listing import jobs as job_list
from db.progress import progress_of
from db.states import Priority
from services.files import Rejected
from web.auth import caller, user
from web.dependencies import dependencies
from web.health.codes import Severity
from web.health.findings import pace
from web.health.service_health import Report
from web.intake.upload_request import incoming
from web.pages.base import blueprint

RECENT_JOBS = 8


@dataclass(frozen=True, slots=True)
class Line:
    """One thing about the state of the service, in a word and a sentence. `kind` chooses the badge."""

    kind: str
    word: str
    sentence: str
    code: str = ""


def service_lines(report: Report) -> list[Line]:
    """The state of the service for somebody who wants a result: that it works, and what is wrong."""
    lines = [
        Line("failed", "Problem", finding.what, finding.code)
        if finding.severity is Severity.ERROR
        else Line("refused", "Warning", finding.what, finding.code)
        for finding in report.findings
    ]
    if report.works and report.facts.rows is not None:
        word = "Working" if report.facts.rows.backlog.queued else "Ready"
        lines.insert(0, Line("good", word, pace(report.facts.rows)))
    return lines


@blueprint.get("/")
def home() -> str:
    deps = dependencies()
    with deps.database.read() as session:
        recent = job_list.page(session, limit=RECENT_JOBS).items
        jobs = [(job, progress_of(session, job)) for job in recent]
    return render_template(
        "home/view.html",
        service=service_lines(deps.health.report()),
        jobs=jobs,
        max_file_bytes=deps.settings.limits.max_upload_bytes,
        child_below_years=CHILD_BELOW_YEARS,
    )


@blueprint.post("/")
def upload() -> ResponseReturnValue:
    """Receive the form that a browser without scripts sends: its files become one job."""
    files = [file for file in request.files.getlist("files") if file.filename]
    if not files:
        abort(400, "No file was chosen. Go back, choose at least one JPEG or PNG image, and send again.")
    priority, population = _priority(), _population()
    ingest = dependencies().ingest
    ingest.admission.admit(user().id, priority)
    received = ingest.receive_new(caller(), _job_name(files), priority, incoming(files), population)
    refused = [item for item in received if isinstance(item, Rejected)]
    job_id = next((item.job_id for item in received if not isinstance(item, Rejected)), None)
    if not refused:
        return redirect(url_for("pages.job", job_id=job_id), 303)
    accepted = len(received) - len(refused)
    page = render_template("home/rejected.html", refused=refused, accepted=accepted, total=len(received), job_id=job_id)
    return page, 200 if accepted else 422


def _job_name(files: list[FileStorage]) -> str:
    """The name that the user typed, or the number of images. Not a file name: that may name a patient."""
    return request.form.get("name", "").strip() or counted(len(files), "image")


def _priority() -> Priority:
    try:
        return Priority(request.form.get("priority", Priority.INTERACTIVE))
    except ValueError:
        abort(400, "The choice of how soon is damaged. Go back and send again.")


def _population() -> Population | None:
    """As whose the images are judged; None: that is found out for each."""
    chosen = request.form.get("population", "")
    try:
        return Population(chosen) if chosen else None
    except ValueError:
        abort(400, "The choice of whose X-rays these are is damaged. Go back and send again.")
