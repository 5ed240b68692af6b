"""Lists of images with their results, as JSON in pages or as one CSV file."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from flask import Response
from pydantic import ConfigDict, Field

from core.errors import InvalidInput
from core.kinds import View
from db.listing import images
from db.listing.filters import Filters, Reviewed
from db.listing.order import Sort
from db.outcomes import MODEL_DIGITS
from db.states import Decision, ImageState, Opinion
from services import searches
from services.jobs import get_job
from web import csv_export, permissions
from web.api.base import as_json, blueprint
from web.api.fields import Cursor, JobPath, Limit, RecordId, Schema
from web.api.images import Image
from web.auth import caller, user
from web.dependencies import Dependencies, dependencies

SORT_WORDS = (
    "`suspicion`: the highest probability first, of equals the older image; what nobody judged comes last. "
    "`name`: as the database sorts text."
)
Probability = Annotated[float, Field(ge=0, le=1)]


class ImageList(Schema):
    model_config = ConfigDict(extra="forbid") | {  # type: ignore[assignment]  # a key of flask-openapi3's
        "openapi_extra": {"content": {"text/csv": {"schema": {"type": "string"}}}}
    }

    items: list[Image]
    next_cursor: int | None


class ImageQuery(Schema):
    state: ImageState | None = None
    decision: Decision | None = None
    view: View | None = Field(None, description="As the model tells it: frontal (pa, ap) or lateral.")
    least: Probability | None = Field(None, description="The probability of a judged image is at least this.")
    most: Probability | None = Field(None, description="The probability of a judged image is at most this.")
    reviewed: Reviewed | None = Field(
        None, description="`no`: judged, and nobody has said yet whether that is right. A refused image is neither."
    )
    opinion: Opinion | None = Field(None, description="What the last review said: `disagree` lists disagreements.")
    reviewer: RecordId | None = Field(None, description="Reviewed by the user of this number, at any time.")
    assignee: RecordId | None = Field(None, description="Assigned to the user of this number.")
    model: Annotated[str, Field(pattern=f"^[0-9a-f]{{{MODEL_DIGITS},64}}$")] | None = Field(
        None, description=f"The sha256 of the model, or at least its first {MODEL_DIGITS} digits."
    )
    cursor: Cursor = None
    limit: Limit = 100
    format: Annotated[str, Field(pattern="^(json|csv)$")] = "json"

    def filters(self, **others: Any) -> Filters:
        """These conditions, and others."""
        same = ("state", "decision", "view", "least", "most", "reviewed", "opinion")
        return Filters(
            **{name: getattr(self, name) for name in same},
            reviewer_id=self.reviewer,
            assignee_id=self.assignee,
            model=self.model and self.model[:MODEL_DIGITS],
            **others,
        )


class JobImageQuery(ImageQuery):
    sort: Sort = Field(Sort.OLDEST, description=SORT_WORDS)


class ResultQuery(ImageQuery):
    sort: Sort = Field(Sort.NEWEST, description=SORT_WORDS)
    job: RecordId | None = Field(None, description="The images of this job alone.")
    since: datetime | None = Field(None, alias="from", description="Uploaded at or after this time (UTC if no zone).")
    until: datetime | None = Field(None, alias="to", description="Uploaded before this time (UTC if no zone).")
    filename: Annotated[str, Field(max_length=200)] | None = Field(
        None,
        description="Part of the file name. Proxies log addresses: if it may name a patient, use `search`.",
    )
    search: Annotated[str, Field(max_length=64)] | None = Field(
        None, description="Part of the file name, by the key that `POST /api/v1/searches` gave for it."
    )


class NewSearch(Schema):
    filename: str = Field(min_length=1, max_length=200, description="Part of a file name.")


class KeptSearch(Schema):
    search: str = Field(description="Stands for the text in `GET /api/v1/results?search=`, for this user alone.")
    expires_at: datetime


@blueprint.get("/jobs/<int:job_id>/images", responses={200: ImageList})
def list_job_images(path: JobPath, query: JobImageQuery) -> Response:
    """The images of a job, by default in the order of upload, in pages; `format=csv` gives all of them as a file."""
    deps = dependencies()
    with deps.database.read() as session:
        get_job(session, path.job_id)
    return _listed(deps, query, query.filters(job_id=path.job_id), f"job-{path.job_id}.csv", query.sort)


@blueprint.get("/results", responses={200: ImageList})
def list_results(query: ResultQuery) -> Response:
    """All images, by default newest first, narrowed by the filters, in pages; `format=csv` gives all as a file."""
    deps = dependencies()
    filters = query.filters(
        job_id=query.job,
        since=_utc(query.since),
        until=_utc(query.until),
        filename=_filename(deps, query),
        user_id=permissions.visible_to(user()),
    )
    return _listed(deps, query, filters, "results.csv", query.sort)


@blueprint.post("/searches", responses={201: KeptSearch})
def keep_search(body: NewSearch) -> Response:
    """Exchange a part of a file name for a key to give to `GET /results`, so that it stands in no address or log."""
    key, expires_at = searches.keep(dependencies().database, user().id, body.filename)
    return as_json(KeptSearch(search=key, expires_at=expires_at), 201)


def _listed(deps: Dependencies, query: ImageQuery, filters: Filters, csv_name: str, sort: Sort) -> Response:
    if query.format == "csv":
        return csv_export.response(deps.database, filters, csv_name, sort)
    with deps.database.read() as session:
        page = images.page(session, filters, cursor=query.cursor, limit=query.limit, sort=sort)
        items = [Image.of(row) for row in page.items]
    deps.view_log.record(caller(), *csv_export.subject(filters), "list")
    return as_json(ImageList(items=items, next_cursor=page.next_cursor))


def _filename(deps: Dependencies, query: ResultQuery) -> str | None:
    if query.search is None:
        return query.filename
    if query.filename is not None:
        raise InvalidInput("Give `filename` or `search`, not both.")
    try:
        return searches.text_of(deps.database, user().id, query.search)
    except ValueError as gone:
        raise InvalidInput(f"search: {gone}") from None


def _utc(value: datetime | None) -> datetime | None:
    try:
        return None if value is None else (value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC))
    except OverflowError:
        raise InvalidInput("from/to: this time cannot be expressed in UTC.") from None
