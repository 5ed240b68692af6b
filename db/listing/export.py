"""All matching images as lines of a file, piece by piece.

It reads columns and makes no objects of the ORM, which takes a third of the time: an export must leave the web process
time to answer everybody else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from core.csv_lines import Row, model_label
from db.listing.filters import Filters, filtered
from db.listing.order import Key, Order
from db.tables import Image, Model, Prediction, Review, User

CSV_CHUNK = 250
"""Rows of a piece. They take a few milliseconds, in which the web process answers nobody else."""

_COLUMNS = (
    Image.id,
    Image.filename,
    Image.state,
    Image.sha256,
    Image.error_message,
    Image.created_at,
    Image.suspicion_rank,
    Prediction.probability,
    Prediction.decision,
    Prediction.reason,
    Prediction.notes,
    Prediction.kind,
    Prediction.view,
    Prediction.population,
    Prediction.model_sha256,
    Model.name.label("model_name"),
    Review.opinion,
    Review.note,
    User.name.label("reviewer"),
)


@dataclass(frozen=True, slots=True)
class Piece:
    """Rows in a list's order, and the key that the next piece starts after; None: these are the last."""

    rows: Sequence[Row]
    end: Key | None


def piece(session: Session, filters: Filters, order: Order, after: Key | None, *, limit: int | None = None) -> Piece:
    """The next matching images, each with its primary prediction and the last review of that.

    A part of a file name is compared row by row: the index of names, which `images.page` uses, would be read as a whole
    for every piece.
    """
    limit = limit or CSV_CHUNK
    query = _with_results(filtered(filters, order, after)).limit(limit + 1)
    rows = session.execute(query).all()
    end = order.key_of(rows[limit - 1]) if len(rows) > limit else None
    return Piece([_row(values) for values in rows[:limit]], end)


def _with_results(images: Select[Image]) -> Select[Any, *tuple[Any, ...]]:
    last_said = select(func.max(Review.id)).where(Review.prediction_id == Prediction.id).correlate(Prediction)
    return (
        images.with_only_columns(*_COLUMNS)
        .select_from(Image)
        .outerjoin(Prediction, Prediction.id == Image.primary_prediction_id)
        .outerjoin(Model, Model.sha256 == Prediction.model_sha256)
        .outerjoin(Review, Review.id == last_said.scalar_subquery())
        .outerjoin(User, User.id == Review.user_id)
    )


def _row(values: Any) -> Row:
    return Row(
        filename=values.filename,
        state=values.state,
        sha256=values.sha256,
        probability=values.probability,
        decision=values.decision or "",
        model=model_label(values.model_name, values.model_sha256) if values.model_sha256 else "",
        error=values.error_message or "",
        image_id=values.id,
        reason=values.reason or "",
        review=values.opinion or "",
        reviewer=values.reviewer or "",
        review_note=values.note or "",
        notes=values.notes or "",
        kind=values.kind or "",
        view=values.view or "",
        population=values.population or "",
    )
