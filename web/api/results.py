"""Lists of images with their results, as JSON in pages or as one CSV file."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from flask import Response
from pydantic import ConfigDict, Field

from core.errors import InvalidInput
from db.listing import images
from db.listing.filters import Filters
from db.states import Decision, ImageState
from services import searches
from services.jobs import get_job
from web import csv_export, permissions
from web.api.base import as_json, blueprint
from web.api.fields import Cursor, JobPath, Limit, Schema
from web.api.images import Image
from web.auth import caller, user
from web.dependencies import Dependencies, dependencies


class ImageList(Schema):
    model_config = ConfigDict(extra="forbid") | {  # type: ignore[assignment]  # a key of flask-openapi3's
        "openapi_extra": {"content": {"text/csv": {"schema": {"type": "string"}}}}
    }

    items: list[Image]
    next_cursor: int | None


class ImageQuery(Schema):
    state: ImageState | None = None
    decision: Decision | None = None
    cursor: Cursor = None
    limit: Limit = 100
    format: Annotated[str, Field(pattern="^(json|csv)$")] = "json"


class ResultQuery(ImageQuery):
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
def list_job_images(path: JobPath, query: ImageQuery) -> Response:
    """The images of a job in the order of upload, in pages; `format=csv` gives all of them as a file."""
    deps = dependencies()
    with deps.database.read() as session:
        get_job(session, path.job_id)
    filters = Filters(job_id=path.job_id, state=query.state, decision=query.decision)
    return _listed(deps, query, filters, f"job-{path.job_id}.csv", newest_first=False)


@blueprint.get("/results", responses={200: ImageList})
def list_results(query: ResultQuery) -> Response:
    """All images, newest first, narrowed by the filters, in pages; `format=csv` gives all of them as a file."""
    deps = dependencies()
    filters = Filters(
        state=query.state,
        decision=query.decision,
        since=_utc(query.since),
        until=_utc(query.until),
        filename=_filename(deps, query),
        user_id=permissions.visible_to(user()),
    )
    return _listed(deps, query, filters, "results.csv", newest_first=True)


@blueprint.post("/searches", responses={201: KeptSearch})
def keep_search(body: NewSearch) -> Response:
    """Exchange a part of a file name for a key to give to `GET /results`, so that it stands in no address or log."""
    key, expires_at = searches.keep(dependencies().database, user().id, body.filename)
    return as_json(KeptSearch(search=key, expires_at=expires_at), 201)


def _listed(deps: Dependencies, query: ImageQuery, filters: Filters, csv_name: str, *, newest_first: bool) -> Response:
    if query.format == "csv":
        return csv_export.response(deps.database, filters, csv_name, newest_first=newest_first)
    with deps.database.read() as session:
        page = images.page(session, filters, cursor=query.cursor, limit=query.limit, newest_first=newest_first)
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
