"""Results as CSV, streamed: a million rows cost no more memory than a thousand."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from flask import Response

from core.results import COLUMNS, REJECTED, Row, cells, model_label
from db import queries, rejections
from db.audit import Action, Kind
from db.models import Image
from db.narrowing import Filters
from db.session import Database
from web import audit
from web.services import services


def response(filters: Filters, name: str, *, newest_first: bool) -> Response:
    """All images that match, as a download called `name`; the audit log has it before its first line is sent."""
    kind, object_id = subject(filters)
    with services().database.begin() as session:
        audit.did(session, Action.EXPORTED, kind, object_id, _narrowed_by(filters))
    answer = Response(_lines(services().database, filters, newest_first=newest_first), mimetype="text/csv")
    answer.headers.set("Content-Disposition", "attachment", filename=name)
    return answer


def subject(filters: Filters) -> tuple[Kind, int | None]:
    """What the audit log calls a list of images: those of one job, or of all."""
    return (Kind.RESULTS, None) if filters.job_id is None else (Kind.JOB, filters.job_id)


def _narrowed_by(filters: Filters) -> str:
    """For the audit log: without the searched part of a file name, which may be a patient's."""
    parts = [f"{name} {value}" for name in ("state", "decision") if (value := getattr(filters, name))]
    parts += [f"{name} {value:%Y-%m-%d %H:%M}" for name in ("since", "until") if (value := getattr(filters, name))]
    return ", ".join([*parts, "part of a file name"] if filters.filename else parts)


def _lines(database: Database, filters: Filters, *, newest_first: bool) -> Iterator[str]:
    """A piece for each page of images. Each is a short transaction: while a slow reader takes a piece, none is open."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(COLUMNS)
    cursor: int | None = None
    while True:
        with database.read() as session:
            page = queries.csv_page(session, filters, cursor, newest_first=newest_first)
            writer.writerows(cells(_row(image)) for image in page.items)
        yield _taken(buffer)
        if page.next_cursor is None:
            break
        cursor = page.next_cursor
    if filters.job_id is not None and filters == Filters(job_id=filters.job_id):
        with database.read() as session:
            for rejected in rejections.every(session, filters.job_id):
                writer.writerow(cells(Row(rejected.filename, REJECTED, rejected.sha256, error=rejected.message)))
        yield _taken(buffer)


def _row(image: Image) -> Row:
    newest = image.predictions[-1] if image.predictions else None
    review = newest.reviews[-1] if newest and newest.reviews else None
    return Row(
        filename=image.filename,
        state=image.state,
        sha256=image.sha256,
        probability=newest.probability if newest else None,
        decision=newest.decision if newest else "",
        model=model_label(newest.model.name, newest.model_sha256) if newest else "",
        error=image.error_message or "",
        image_id=image.id,
        reason=(newest.reason or "") if newest else "",
        review=review.opinion if review else "",
        reviewer=review.user.name if review else "",
        review_note=review.note if review else "",
        notes=(newest.notes or "") if newest else "",
    )


def _taken(buffer: io.StringIO) -> str:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text
