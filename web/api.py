"""The JSON API, /api/v1. One function an endpoint: read the request, call `web.uploads` or `db`, shape the answer."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flask import Response, request, send_file, url_for
from flask_openapi3.blueprint import APIBlueprint
from pydantic import BaseModel
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import set_committed_value
from werkzeug.exceptions import NotFound, UnprocessableEntity

from db import previews, queries, rejections, tables
from db.audit import Kind
from db.listing.filters import Filters
from db.states import FINAL_STATES, JobState
from web import audit, csv_export, deletion, filenames, heat_map, permissions, reviews, searches, uploads
from web import schemas as s
from web.auth import user
from web.errors import problem
from web.intake import form_check
from web.services import services

MAX_FILES_PER_REQUEST = 1000
DESCRIPTION = (
    "Screens chest X-rays for pneumonia. A research tool for triage, never a diagnosis. "
    "Send images to a job, then poll the job; errors are `application/problem+json`."
)
SECURITY_SCHEMES: Any = {
    "token": {"type": "http", "scheme": "bearer"},
    "session": {"type": "apiKey", "in": "cookie", "name": "session"},
}
PROBLEMS = dict.fromkeys((400, 401, 403, 404, 413, 415, 422, 503), s.Problem)
"""What any operation may answer."""
NO_ROOM: dict[Any, Any] = dict.fromkeys((429, 507), s.Problem)
FILE: Any = {"content": {"image/jpeg": {}, "image/png": {}}}

blueprint = APIBlueprint(
    "api",
    __name__,
    url_prefix="/api/v1",
    abp_security=[{"token": []}, {"session": []}],
    abp_responses=PROBLEMS,  # type: ignore[arg-type]  # a dict is invariant
)


blueprint.before_request(form_check.check)


def _json(body: BaseModel, status: int = 200, *, exclude_none: bool = False, **headers: str) -> Response:
    response = Response(body.model_dump_json(exclude_none=exclude_none), status, mimetype="application/json")
    response.headers.update(headers)
    return response


def _conditional(response: Response) -> Response:
    """With its ETag, or 304 without a body if the client has this version already."""
    response.add_etag()
    response.make_conditional(request)  # changes the response in place
    return response


def _job(session: Session, job_id: int) -> tables.Job:
    row = session.get(tables.Job, job_id)
    if row is None or row.deleted_at is not None:
        raise NotFound(f"There is no job {job_id}.")
    return row


@blueprint.get("/whoami", responses={200: s.WhoAmI})
def whoami() -> Response:
    """The user whose token or session this is."""
    return _json(s.WhoAmI(name=user().name, role=user().role))


@blueprint.post("/jobs", responses={201: s.Job, 200: s.Job})
def create_job(body: s.NewJob) -> Response:
    """Start a job. With a `key` used before, answers 200 with the job of that time, so that a submit can resume."""
    job, progress, new = uploads.create_job(user().id, body.name, body.priority, body.key, body.expected_images)
    return _json(s.Job.of(job, progress), 201 if new else 200, Location=url_for("api.read_job", job_id=job.id))


@blueprint.get("/jobs", responses={200: s.JobList})
def list_jobs(query: s.JobsQuery) -> Response:
    """Jobs, newest first."""
    with services().database.read() as session:
        page = queries.jobs(session, cursor=query.cursor, limit=query.limit)
        items = [s.Job.of(job, queries.progress(session, job)) for job in page.items]
    return _json(s.JobList(items=items, next_cursor=page.next_cursor))


@blueprint.get("/jobs/<int:job_id>", responses={200: s.Job, 304: None})
def read_job(path: s.JobPath) -> Response:
    """A job's progress. Poll with If-None-Match, no faster than Retry-After says; without one it is finished."""
    with services().database.read() as session:
        job = _job(session, path.job_id)
        answer = s.Job.of(job, queries.progress(session, job))
    response = _json(answer)
    if sum(answer.counts[state] for state in FINAL_STATES) < answer.total or answer.state is JobState.RUNNING:
        response.headers["Retry-After"] = "1" if answer.total < 10_000 else "3"
    elif answer.state is JobState.INCOMPLETE:
        response.headers["Retry-After"] = "10"  # somebody may send the rest
    return _conditional(response)


@blueprint.post("/jobs/<int:job_id>/images", responses={201: s.ReceivedList, 409: s.Problem} | NO_ROOM)
def upload_images(path: s.JobPath, form: s.Upload) -> Response:
    """Send files (multipart field `files`). Sending a file of the same name and content again changes nothing.

    429 or 507: there is no room; send again after Retry-After. A single file with the error `storage_full` likewise.
    """
    received = uploads.receive(path.job_id, form.files)
    return _json(s.ReceivedList(images=[_received(item) for item in received]), 201, exclude_none=True)


def _received(item: tables.Image | uploads.Rejected) -> s.Received:
    if isinstance(item, uploads.Rejected):
        return s.Received(filename=item.filename, error=s.Error(code=item.code, message=item.message))
    return s.Received(filename=item.filename, id=item.id, sha256=item.sha256, state=item.state)


@blueprint.get("/jobs/<int:job_id>/rejected", responses={200: s.RejectionList})
def list_rejected(path: s.JobPath, query: s.PageQuery) -> Response:
    """The files of a job that were not taken, and why, in the order in which they came."""
    with services().database.read() as session:
        _job(session, path.job_id)
        page = rejections.page(session, path.job_id, cursor=query.cursor, limit=query.limit)
        items = [s.Rejection.model_validate(row, from_attributes=True) for row in page.items]
    audit.saw(Kind.JOB, path.job_id, "list")
    return _json(s.RejectionList(items=items, next_cursor=page.next_cursor))


@blueprint.post("/jobs/<int:job_id>/rejected", responses={204: None})
def add_rejected(path: s.JobPath, body: s.RejectedFiles) -> Response:
    """Tell of declared files that you won't send, such as one that cannot be read: they count as rejected."""
    uploads.reject(path.job_id, [uploads.Rejected(file.filename, file.code, file.message) for file in body.files])
    return Response(status=204)


@blueprint.post("/jobs/<int:job_id>/images/known", responses={200: s.KnownList, 409: s.Problem} | NO_ROOM)
def add_known_images(path: s.JobPath, body: s.KnownFiles) -> Response:
    """Add files by sha256 that you have sent before; those marked `missing` have to be uploaded."""
    wanted = [(item.filename, item.sha256) for item in body.images]
    found = uploads.receive_known(path.job_id, user().id, wanted)
    answers = [
        s.Known(filename=filename, sha256=sha256, missing=True)
        if image is None
        else s.Known(filename=image.filename, sha256=sha256, id=image.id, state=image.state, missing=False)
        for (filename, sha256), image in zip(wanted, found, strict=True)
    ]
    return _json(s.KnownList(images=answers), exclude_none=True)


@blueprint.post("/images", responses={202: s.Image} | NO_ROOM)
def upload_image(form: s.SingleUpload) -> Response:
    """Send one image (multipart field `file`) as an interactive job of its own."""
    item = uploads.receive_single(user().id, form.file)
    if isinstance(item, uploads.Rejected):
        status = {"too_large": 413, "unsupported_type": 415}.get(item.code, 422)
        return problem(status, f"{filenames.shown(item.filename)}: {item.message}", item.code)
    # Not read back: it is kept by now, and an answer that says otherwise would have it sent twice.
    set_committed_value(item, "predictions", [])
    return _json(s.Image.of(item), 202, Location=url_for("api.read_image", image_id=item.id))


def _image(session: Session, image_id: int) -> s.Image:
    return s.Image.of(_image_row(session, image_id))


def _image_row(session: Session, image_id: int) -> tables.Image:
    row = queries.image(session, image_id)
    if row is None:
        raise NotFound(f"There is no image {image_id}.")
    return row


@blueprint.get("/images/<int:image_id>", responses={200: s.Image, 304: None})
def read_image(path: s.ImagePath) -> Response:
    """One image with its prediction or its error. Retry-After is set until it is finished."""
    with services().database.read() as session:
        image = _image(session, path.image_id)
    audit.saw(Kind.IMAGE, path.image_id, "result")
    response = _json(image)
    if image.state not in FINAL_STATES:
        response.headers["Retry-After"] = "1"
    return _conditional(response)


@blueprint.get("/images/<int:image_id>/file", responses={200: FILE, 206: FILE, 304: None, 416: s.Problem})
def read_image_file(path: s.ImagePath) -> Response:
    """The bytes that were uploaded."""
    with services().database.read() as session:
        row = _image_row(session, path.image_id)
    audit.saw(Kind.IMAGE, path.image_id, "file")
    response = send_file(
        services().store.open(row.sha256),
        mimetype=row.media_type,
        etag=row.sha256,
        download_name=f"image-{row.id}.{row.media_type.removeprefix('image/')}",
    )
    if response.status_code == 200:
        response.content_length = row.size_bytes
    response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response.headers["Cache-Control"] = "private, max-age=3600"
    return response


@blueprint.get("/images/<int:image_id>/picture", responses={200: {"content": {"image/jpeg": {}}}, 304: None})
def read_image_picture(path: s.ImagePath) -> Response:
    """The gray, upright picture that the model judged, as a JPEG. Only of files that a browser shows differently."""
    with services().database.read() as session:
        jpeg = previews.picture(session, _image_row(session, path.image_id).sha256)
    if jpeg is None:
        raise NotFound(f"There is no picture of image {path.image_id} beside its file.")
    audit.saw(Kind.IMAGE, path.image_id, "picture")
    return _conditional(Response(jpeg, mimetype="image/jpeg"))


@blueprint.get("/images/<int:image_id>/cam", responses={200: {"content": {"image/png": {}}}, 304: None})
def read_image_cam(path: s.ImagePath) -> Response:
    """Where the newest model saw evidence of pneumonia: a PNG to lay over the part of the image that it judged."""
    with services().database.read() as session:
        row = _image_row(session, path.image_id)
    primary = row.primary_prediction
    if primary is None or primary.cam is None:
        raise NotFound(f"There is no activation map of image {path.image_id}.")
    audit.saw(Kind.IMAGE, path.image_id, "map")
    response = Response(heat_map.render(primary.cam, primary.threshold), mimetype="image/png")
    return _conditional(response)


@blueprint.post("/images/<int:image_id>/review", responses={201: s.Image, 409: s.Problem})
def review_image(path: s.ImagePath, body: s.NewReview) -> Response:
    """Say what you think of the newest prediction. A second review is added; the first is kept."""
    reviews.review(path.image_id, body.opinion, body.note)
    with services().database.read() as session:
        image = _image(session, path.image_id)
    return _json(image, 201)


@blueprint.get("/jobs/<int:job_id>/images", responses={200: s.ImageList})
def list_job_images(path: s.JobPath, query: s.ImageQuery) -> Response:
    """The images of a job in the order of upload, in pages; `format=csv` gives all of them as a file."""
    with services().database.read() as session:
        _job(session, path.job_id)
    filters = Filters(job_id=path.job_id, state=query.state, decision=query.decision)
    return _listed(query, filters, f"job-{path.job_id}.csv", newest_first=False)


@blueprint.post("/searches", responses={201: s.KeptSearch})
def keep_search(body: s.NewSearch) -> Response:
    """Exchange a part of a file name for a key to give to `GET /results`, so that it stands in no address or log."""
    key, expires_at = searches.keep(body.filename)
    return _json(s.KeptSearch(search=key, expires_at=expires_at), 201)


@blueprint.get("/results", responses={200: s.ImageList})
def list_results(query: s.ResultQuery) -> Response:
    """All images, newest first, narrowed by the filters, in pages; `format=csv` gives all of them as a file."""
    filters = Filters(
        state=query.state,
        decision=query.decision,
        since=_utc(query.since),
        until=_utc(query.until),
        filename=_filename(query),
        user_id=permissions.narrowed(user()),
    )
    return _listed(query, filters, "results.csv", newest_first=True)


def _filename(query: s.ResultQuery) -> str | None:
    if query.search is None:
        return query.filename
    if query.filename is not None:
        raise UnprocessableEntity("Give `filename` or `search`, not both.")
    try:
        return searches.text_of(query.search)
    except ValueError as gone:
        raise UnprocessableEntity(f"search: {gone}") from None


def _listed(query: s.ImageQuery, filters: Filters, csv_name: str, *, newest_first: bool) -> Response:
    if query.format == "csv":
        return csv_export.response(filters, csv_name, newest_first=newest_first)
    with services().database.read() as session:
        page = queries.images(session, filters, cursor=query.cursor, limit=query.limit, newest_first=newest_first)
        items = [s.Image.of(row) for row in page.items]
    audit.saw(*csv_export.subject(filters), "list")
    return _json(s.ImageList(items=items, next_cursor=page.next_cursor))


def _utc(value: datetime | None) -> datetime | None:
    try:
        return None if value is None else (value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC))
    except OverflowError:
        raise UnprocessableEntity("from/to: this time cannot be expressed in UTC.") from None


@blueprint.post("/jobs/<int:job_id>/cancel", responses={200: s.Changed})
def cancel_job(path: s.JobPath) -> Response:
    """Cancel what is still queued. Images that a worker holds are finished."""
    return _json(s.Changed(changed=uploads.cancel(path.job_id)), exclude_none=True)


@blueprint.post("/jobs/<int:job_id>/retry", responses={200: s.Changed})
def retry_job(path: s.JobPath) -> Response:
    """Queue the cancelled images of a job again, and the failed ones that a retry can help."""
    changed, left = uploads.retry(path.job_id)
    return _json(s.Changed(changed=changed, left=left or None), exclude_none=True)


@blueprint.post("/images/<int:image_id>/retry", responses={200: s.Changed})
def retry_image(path: s.ImagePath) -> Response:
    """Queue one failed or cancelled image again; `changed` is 0 if it is neither, or a retry can't help it."""
    queued, hopeless = uploads.retry_image(path.image_id)
    return _json(s.Changed(changed=int(queued), left=int(hopeless) or None), exclude_none=True)


@blueprint.delete("/jobs/<int:job_id>", responses={204: None})
def delete_job(path: s.JobPath) -> Response:
    """Delete a job with its images, results and reviews, and the bytes that no other job uses. There is no way back."""
    deletion.delete_job(path.job_id)
    return Response(status=204)
