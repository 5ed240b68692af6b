"""Results as CSV, streamed: a million rows cost no more memory than a thousand."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import datetime

from flask import Response

from core.csv_lines import COLUMNS, REJECTED, Row, cells
from core.plural import counted
from db import rejections
from db.audit import MAX_DETAIL_CHARS, Action, Kind
from db.listing import export, images
from db.listing.filters import Filters
from db.listing.order import Key, Sort
from db.session import Database
from web.auth import caller

_UNSHOWN = {"job_id", "filename", "user_id", "ids"}
"""Filters that the audit log has in another form, or must not have."""


def response(database: Database, filters: Filters, name: str, sort: Sort) -> Response:
    """All images that match, as a download called `name`. The audit log has the export before a line is sent."""
    record(database, filters)
    answer = Response(_lines(database, filters, sort), mimetype="text/csv")
    answer.headers.set("Content-Disposition", "attachment", filename=name)
    return answer


def record(database: Database, filters: Filters) -> None:
    """Write to the audit log that these images are exported."""
    kind, object_id = subject(filters)
    with database.begin() as session:
        caller().record(session, Action.EXPORTED, kind, object_id, _in_words(filters))


def subject(filters: Filters) -> tuple[Kind, int | None]:
    """What the audit log calls a list of images: the images of one job, or results of all jobs."""
    return (Kind.RESULTS, None) if filters.job_id is None else (Kind.JOB, filters.job_id)


def _in_words(filters: Filters) -> str:
    """The filters for the audit log, without the part of a file name that was searched for: it may be a patient's."""
    shown = {name: value for name, value in asdict(filters).items() if value is not None and name not in _UNSHOWN}
    parts = [f"{name} {_word(value)}" for name, value in shown.items()]
    parts += [counted(len(filters.ids), "selected image")] if filters.ids is not None else []
    parts = ["part of a file name", *parts] if filters.filename else parts
    return ", ".join(parts)[:MAX_DETAIL_CHARS]


def _word(value: object) -> str:
    return f"{value:%Y-%m-%d %H:%M}" if isinstance(value, datetime) else str(value)


def _lines(database: Database, filters: Filters, sort: Sort) -> Iterator[str]:
    """Yield the lines of one piece at a time."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(COLUMNS)
    for rows in pieces(database, filters, sort):
        writer.writerows(map(cells, rows))
        yield _take(buffer)


def pieces(database: Database, filters: Filters, sort: Sort) -> Iterator[Sequence[Row]]:
    """Yield the images, then, if a whole job is exported, its rejected files.

    Each piece is read in a short transaction; none is open while a slow client takes the lines.
    """
    order = images.order_in(filters, sort)
    after: Key | None = None
    more = True
    while more:
        with database.read() as session:
            piece = export.piece(session, filters, order, after)
        yield piece.rows
        after, more = piece.end, piece.end is not None
    if filters.job_id is None or filters != Filters(job_id=filters.job_id):
        return
    cursor: int | None = 0
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
