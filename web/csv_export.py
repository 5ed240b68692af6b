"""Results as CSV, streamed: a million rows cost no more memory than a thousand."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from flask import Response, stream_with_context

from core.results import COLUMNS, Row, cells, model_label
from db import queries
from db.models import Image
from db.queries import Filters
from web.services import services


def response(filters: Filters, name: str, *, newest_first: bool) -> Response:
    """All images that match, as a download called `name`."""
    answer = Response(stream_with_context(_lines(filters, newest_first=newest_first)), mimetype="text/csv")
    answer.headers.set("Content-Disposition", "attachment", filename=name)
    return answer


def _lines(filters: Filters, *, newest_first: bool) -> Iterator[str]:
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(COLUMNS)
    with services().database.read() as session:
        for count, image in enumerate(queries.all_images(session, filters, newest_first=newest_first), 1):
            writer.writerow(cells(_row(image)))
            if count % queries.CSV_CHUNK == 0:
                yield _taken(buffer)
    yield _taken(buffer)


def _row(image: Image) -> Row:
    newest = image.predictions[-1] if image.predictions else None
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
    )


def _taken(buffer: io.StringIO) -> str:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text
