"""Files of a job that were not taken."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from flask import Response
from pydantic import Field

from db import rejections
from db.audit import Kind
from services.files import Rejected
from services.jobs import get_job
from web import audit
from web.api.base import as_json, blueprint
from web.api.fields import JobPath, PageQuery, Schema
from web.dependencies import dependencies


class RejectedFile(Schema):
    filename: str = Field(min_length=1, max_length=4096)
    code: Annotated[str, Field(pattern="^[a-z][a-z0-9_]{0,63}$")] = "not_sent"
    message: str = Field(min_length=1, max_length=500, description="What was wrong with it, for a person.")


class RejectedFiles(Schema):
    files: list[RejectedFile] = Field(min_length=1, max_length=1000)


class Rejection(Schema):
    filename: str
    code: str
    message: str
    at: datetime


class RejectionList(Schema):
    items: list[Rejection]
    next_cursor: int | None


@blueprint.get("/jobs/<int:job_id>/rejected", responses={200: RejectionList})
def list_rejected(path: JobPath, query: PageQuery) -> Response:
    """The files of a job that were not taken, and why, in the order in which they came."""
    deps = dependencies()
    with deps.database.read() as session:
        get_job(session, path.job_id)
        page = rejections.page(session, path.job_id, cursor=query.cursor, limit=query.limit)
        items = [Rejection.model_validate(row, from_attributes=True) for row in page.items]
    audit.record_view(deps, Kind.JOB, path.job_id, "list")
    return as_json(RejectionList(items=items, next_cursor=page.next_cursor))


@blueprint.post("/jobs/<int:job_id>/rejected", responses={204: None})
def add_rejected(path: JobPath, body: RejectedFiles) -> Response:
    """Tell of declared files that you won't send, such as one that cannot be read: they count as rejected."""
    rejected = [Rejected(file.filename, file.code, file.message) for file in body.files]
    dependencies().ingest.reject(path.job_id, rejected)
    return Response(status=204)
