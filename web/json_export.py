"""Results as one JSON array, streamed like the CSV file and with its columns."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict

from flask import Response

from db.listing.filters import Filters
from db.listing.order import Sort
from db.session import Database
from web import csv_export


def response(database: Database, filters: Filters, name: str, sort: Sort) -> Response:
    """All images that match, as a download called `name`. The audit log has the export before a line is sent."""
    csv_export.record(database, filters)
    answer = Response(_lines(database, filters, sort), mimetype="application/json")
    answer.headers.set("Content-Disposition", "attachment", filename=name)
    return answer


def _lines(database: Database, filters: Filters, sort: Sort) -> Iterator[str]:
    """Yield an object a line, those of one piece at a time."""
    before = "[\n"
    for rows in csv_export.pieces(database, filters, sort):
        if rows:
            yield before + ",\n".join(json.dumps(asdict(row), ensure_ascii=False) for row in rows)
            before = ",\n"
    yield "\n]\n" if before == ",\n" else "[]\n"
