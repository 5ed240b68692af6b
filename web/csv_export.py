"""Results as CSV, streamed: a million rows cost no more memory than a thousand."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence

from flask import Response

from core.csv_lines import COLUMNS, REJECTED, Row, cells
from db import rejections
from db.audit import Action, Kind
from db.listing import export
from db.listing.filters import Filters
from db.session import Database
from web.auth import caller


def response(database: Database, filters: Filters, name: str, *, newest_first: bool) -> Response:
    """All images that match, as a download called `name`. The audit log has the export before a line is sent."""
    kind, object_id = subject(filters)
    with database.begin() as session:
        caller().record(session, Action.EXPORTED, kind, object_id, _in_words(filters))
    answer = Response(_lines(database, filters, newest_first=newest_first), mimetype="text/csv")
    answer.headers.set("Content-Disposition", "attachment", filename=name)
    return answer


def subject(filters: Filters) -> tuple[Kind, int | None]:
    """What the audit log calls a list of images: the images of one job, or results of all jobs."""
    return (Kind.RESULTS, None) if filters.job_id is None else (Kind.JOB, filters.job_id)


def _in_words(filters: Filters) -> str:
    """The filters for the audit log, without the part of a file name that was searched for: it may be a patient's."""
    parts = [f"{name} {value}" for name in ("state", "decision") if (value := getattr(filters, name))]
    parts += [f"{name} {value:%Y-%m-%d %H:%M}" for name in ("since", "until") if (value := getattr(filters, name))]
    return ", ".join([*parts, "part of a file name"] if filters.filename else parts)


def _lines(database: Database, filters: Filters, *, newest_first: bool) -> Iterator[str]:
    """Yield the lines of one page of rows at a time."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(COLUMNS)
    for rows in _pages(database, filters, newest_first=newest_first):
        writer.writerows(map(cells, rows))
        yield _take(buffer)


def _pages(database: Database, filters: Filters, *, newest_first: bool) -> Iterator[Sequence[Row]]:
    """Yield the images, then, if a whole job is exported, its rejected files.

    Each page is read in a short transaction; none is open while a slow client takes the lines.
    """
    cursor: int | None = 0
    while cursor is not None:
        with database.read() as session:
            images = export.page(session, filters, cursor or None, newest_first=newest_first)
        yield images.items
        cursor = images.next_cursor
    if filters.job_id is None or filters != Filters(job_id=filters.job_id):
        return
    cursor = 0
    while cursor is not None:
        with database.read() as session:
            rejected = rejections.page(session, filters.job_id, cursor=cursor, limit=export.CSV_CHUNK)
        if rejected.items:
            yield [Row(file.filename, REJECTED, file.sha256, error=file.message) for file in rejected.items]
        cursor = rejected.next_cursor


def _take(buffer: io.StringIO) -> str:
    """Empty the buffer; the text that was in it."""
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text
