"""Which images a list shows, and in which order. A page costs the same among a thousand rows and among a million.

The images of one job are in the order of their ids, all others in the order of the time they were sent. Of several
conditions one leads: an index has the rows that meet it in the list's order, and they are read until a page is full.
The other conditions are checked row by row. SQLite has to be told that: it keeps no statistics, and would use the index
of any condition.

A part of a file name cannot lead: `db/listing/search.py` says how it is found.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Select, false, literal, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute, Session

from db import dialect
from db.states import Decision, ImageState
from db.tables import Image, Job, UtcDateTime


@dataclass(frozen=True, slots=True)
class Filters:
    """Conditions on the images of a list; None means no limit. `until` is exclusive; `decision` is the shown one."""

    job_id: int | None = None
    state: ImageState | None = None
    decision: Decision | None = None
    since: datetime | None = None
    until: datetime | None = None
    filename: str | None = None
    user_id: int | None = None


@dataclass(frozen=True, slots=True)
class Start:
    """The key that a page starts after. `at` is for lists in the order of time; None: nothing follows it."""

    id: int
    at: datetime | None


def start_after(session: Session, filters: Filters, cursor: int | None, *, newest_first: bool) -> Start | None:
    """Where the page after the image `cursor` starts; None for the first page. The image may be deleted by now."""
    if cursor is None:
        return None
    if filters.job_id is not None:
        return Start(cursor, None)
    last = session.execute(
        select(Image.id, Image.created_at).where(Image.id <= cursor).order_by(Image.id.desc()).limit(1)
    ).one_or_none()
    if last is None:
        return Start(0, None) if newest_first else None
    return Start(last.id + (newest_first and last.id < cursor), last.created_at)


def filtered(filters: Filters, after: Start | None, *, newest_first: bool) -> Select[Image]:
    """The images that match, in order. All conditions but the leading one are checked row by row."""
    query = select(Image).where(*conditions(filters, after, newest_first))
    return query.order_by(*order(filters, newest_first))


def order(filters: Filters, newest_first: bool) -> list[ColumnElement[Any]]:
    keys = (Image.id,) if filters.job_id is not None else (Image.created_at, Image.id)
    return [key.desc() if newest_first else key.asc() for key in keys]


def conditions(
    filters: Filters, after: Start | None, newest_first: bool, *, lead: bool = True
) -> list[ColumnElement[bool]]:
    # Jobs that are being erased are no longer shown. There are few of them, and they have an index of their own.
    visible: ColumnElement[bool] = Image.job_id.not_in(select(Job.id).where(Job.deleted_at.is_not(None)))
    if filters.decision is not None and filters.state not in (None, ImageState.DONE):
        return [false()]  # see `wanted`
    named = [_named(filters)] if filters.filename else []
    return [visible, *named, *_terms(filters, lead=lead), *between(filters, after, newest_first)]


def wanted(filters: Filters) -> dict[str, Any]:
    """The wanted values by column. An image has a decision exactly if it is done."""
    state = filters.state if filters.decision is None else ImageState.DONE
    values = {"job_id": filters.job_id, "user_id": filters.user_id, "state": state, "decision": filters.decision}
    return {name: value for name, value in values.items() if value is not None}


def _terms(filters: Filters, *, lead: bool) -> list[ColumnElement[bool]]:
    first = leading(filters) if lead else ()
    return [equals(getattr(Image, name), value, leads=name in first) for name, value in wanted(filters).items()]


def leading(filters: Filters) -> tuple[str, ...]:
    """The columns of the condition that probably leaves the fewest rows. Nearly all images are done."""
    if filters.job_id is not None:
        return "job_id", "state", "decision"
    if filters.state not in (None, ImageState.DONE):
        return ("state",)
    return ("decision",) if filters.user_id is None else ("user_id",)


def equals(attribute: InstrumentedAttribute[Any], value: int | StrEnum, *, leads: bool) -> ColumnElement[bool]:
    """`attribute = value`, looked up in an index only if it `leads`."""
    operand = value if isinstance(value, int) else dialect.inline(value, attribute)
    return attribute == operand if leads else dialect.unindexed(attribute) == operand


def _named(filters: Filters) -> ColumnElement[bool]:
    return Image.filename.icontains(filters.filename or "", autoescape=True)


def between(filters: Filters, after: Start | None, newest_first: bool) -> list[ColumnElement[bool]]:
    """The time span and the start of the page, as one limit at each end: of two, SQLite may use the farther one."""
    if filters.job_id is not None:
        following = [] if after is None else [Image.id < after.id if newest_first else Image.id > after.id]
        return following + _times(filters.since, filters.until)
    if after is None:
        return _times(filters.since, filters.until)
    if after.at is None:
        return [false()]
    here = tuple_(literal(after.at, UtcDateTime()), after.id)
    row = tuple_(Image.created_at, Image.id)
    if newest_first:
        if filters.until is not None and filters.until <= after.at:
            return _times(filters.since, filters.until)
        return [*_times(filters.since, None), row < here]
    if filters.since is not None and filters.since > after.at:
        return _times(filters.since, filters.until)
    return [*_times(None, filters.until), row > here]


def _times(since: datetime | None, until: datetime | None) -> list[ColumnElement[bool]]:
    limits = [] if since is None else [Image.created_at >= since]
    return limits if until is None else [*limits, Image.created_at < until]
