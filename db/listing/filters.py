"""Which images a list shows. A page costs the same among a thousand rows and among a million.

Of several conditions one leads: an index has the rows that meet it in the list's order, and they are read until a page
is full. The other conditions are checked row by row. SQLite has to be told that: it keeps no statistics, and would use
the index of any condition. In the orders by suspicion and by name the order itself leads: its index has the columns of
the conditions too, so that the rows that fail them are passed over without being read.

A part of a file name cannot lead: `db/listing/search.py` says how it is found.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Select, false, literal, select
from sqlalchemy.orm import InstrumentedAttribute

from core.kinds import View
from db import dialect
from db.listing.order import Key, Order, Sort, Span
from db.states import Decision, ImageState, Opinion
from db.tables import Image, Job, Review


class Reviewed(StrEnum):
    """Whether a person has reviewed a prediction. A refused image can't be reviewed: it is neither."""

    NO = "no"
    YES = "yes"


@dataclass(frozen=True, slots=True)
class Filters:
    """Conditions on the images of a list; None means no limit. `until` is exclusive.

    All but the first few are about the prediction that is shown: `least` and `most` are its probability if it was
    judged, `opinion` the last review's, `reviewer_id` a user who reviewed it at any time, `model` the first digits of
    its model's sha256. `ids` are images that somebody has selected.
    """

    job_id: int | None = None
    state: ImageState | None = None
    since: datetime | None = None
    until: datetime | None = None
    filename: str | None = None
    user_id: int | None = None
    assignee_id: int | None = None
    ids: tuple[int, ...] | None = None
    decision: Decision | None = None
    view: View | None = None
    least: float | None = None
    most: float | None = None
    reviewed: Reviewed | None = None
    opinion: Opinion | None = None
    reviewer_id: int | None = None
    model: str | None = None


def filtered(filters: Filters, order: Order, after: Key | None = None, stop: Key | None = None) -> Select[Image]:
    """The images that match, in order, from the one that follows `after` to the one before `stop`."""
    return select(Image).where(*conditions(filters, order, after, stop)).order_by(*order.terms)


def conditions(
    filters: Filters, order: Order, after: Key | None = None, stop: Key | None = None, *, lead: bool = True
) -> list[ColumnElement[bool]]:
    """All conditions; none of them leads unless `lead`."""
    # Jobs that are being erased are no longer shown. There are few of them, and they have an index of their own.
    visible: ColumnElement[bool] = Image.job_id.not_in(select(Job.id).where(Job.deleted_at.is_not(None)))
    if contradictory(filters):
        return [false()]
    named = [Image.filename.icontains(filters.filename or "", autoescape=True)] if filters.filename else []
    first = leading(filters, order) if lead else ()
    terms = [equals(getattr(Image, name), value, leads=name in first) for name, value in wanted(filters).items()]
    within = order.window(span_of(filters, order), after, stop)
    return [visible, *named, *terms, *_of_reviews(filters), *within, *_other_limits(filters, order)]


def contradictory(filters: Filters) -> bool:
    """Whether no image can meet them all: see `wanted`."""
    judged = filters.decision or filters.view or filters.model or _is_about_reviews(filters)
    if judged and filters.state not in (None, ImageState.DONE):
        return True
    if _is_about_reviews(filters) and (filters.decision is Decision.REFUSED or filters.view is View.LATERAL):
        return True
    # A lateral view is always refused; of a frontal one the view is told where it is judged.
    refused, lateral = filters.decision is Decision.REFUSED, filters.view is View.LATERAL
    return bool(filters.decision and filters.view) and refused != lateral


def wanted(filters: Filters) -> dict[str, Any]:
    """The wanted values by column. An image has a decision exactly if it is done, and a view only then."""
    values = {
        "job_id": filters.job_id,
        "user_id": filters.user_id,
        "assignee_id": filters.assignee_id,
        "state": ImageState.DONE if filters.decision or filters.view else filters.state,
        "decision": filters.decision,
        "view": filters.view,
        "opinion": filters.opinion,
        "model": filters.model,
    }
    return {name: value for name, value in values.items() if value is not None}


def leading(filters: Filters, order: Order) -> tuple[str, ...]:
    """The columns of the condition that probably leaves the fewest rows. Nearly all images are done."""
    if order.first.key not in ("created_at", "id") or filters.ids is not None or filters.reviewer_id is not None:
        return ()
    if filters.job_id is not None:
        return "job_id", "state", "decision"
    if filters.state not in (None, ImageState.DONE):
        return ("state",)
    if filters.assignee_id is not None:
        return ("assignee_id",)
    if filters.user_id is not None:
        return ("user_id",)
    if filters.opinion is not None or filters.reviewed is Reviewed.YES:
        return ()  # `_of_reviews` leads
    return ("decision",) if filters.view is None else ("view",)


def equals(attribute: InstrumentedAttribute[Any], value: int | StrEnum, *, leads: bool) -> ColumnElement[bool]:
    """`attribute = value`, looked up in an index only if it `leads`."""
    operand = dialect.inline(value, attribute) if isinstance(value, StrEnum) else literal(value, attribute.type)
    return attribute == operand if leads else dialect.unindexed(attribute) == operand


def sort_for(filters: Filters, sort: Sort) -> Sort:
    """`sort`, or a cheaper one that gives these images in the same order."""
    unjudged = filters.state not in (None, ImageState.DONE) or filters.decision is Decision.REFUSED
    return Sort.OLDEST if sort is Sort.SUSPICION and unjudged and filters.job_id is None else sort


def span_of(filters: Filters, order: Order) -> Span:
    """The limits of the column that the list is sorted by first."""
    return _spans(filters).get(order.first.key, Span())


def _is_about_reviews(filters: Filters) -> bool:
    return bool(filters.reviewed or filters.opinion or filters.reviewer_id)


def _of_reviews(filters: Filters) -> list[ColumnElement[bool]]:
    terms: list[ColumnElement[bool]] = []
    if filters.reviewed is Reviewed.NO:
        terms.append(Image.opinion.is_(None))
    if filters.reviewed is Reviewed.YES or filters.opinion is not None:
        terms.append(Image.opinion.is_not(None))
    if filters.reviewer_id is not None:
        theirs = select(Review.prediction_id).where(Review.user_id == filters.reviewer_id)
        terms.append(Image.primary_prediction_id.in_(theirs))
    if filters.ids is not None:
        terms.append(Image.id.in_(filters.ids))
    return terms


def _spans(filters: Filters) -> dict[str, Span]:
    """Limits by column. Only a judged image has a rank of a probability, and only such a one can be reviewed."""
    spans = {"created_at": Span(filters.since, filters.until)}
    if filters.reviewed is Reviewed.NO or filters.least is not None or filters.most is not None:
        least, most = filters.least or 0.0, 1.0 if filters.most is None else filters.most
        spans["suspicion_rank"] = Span(-most, math.nextafter(-least, math.inf))
    return spans


def _other_limits(filters: Filters, order: Order) -> list[ColumnElement[bool]]:
    """Limits of columns that are not the first of the order."""
    terms: list[ColumnElement[bool]] = []
    for name, span in _spans(filters).items():
        attribute = getattr(Image, name)
        if name != order.first.key:
            column = dialect.unindexed(attribute)
            terms += [] if span.low is None else [column >= literal(span.low, attribute.type)]
            terms += [] if span.high is None else [column < literal(span.high, attribute.type)]
    return terms
