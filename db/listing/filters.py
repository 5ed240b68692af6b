"""Which images a list shows and in which order, asked so that it costs the same in a thousand rows and in a million.

The images of one job come in the order of their ids, all others by the time they were sent. Of several conditions one
leads: an index has the rows that meet it in the list's order, and they are read until a page is full. For SQLite, which
keeps no statistics and would choose between them blindly, the others are written in a form that no index answers.

A part of a file name leads nowhere. It is first looked for in the next rows, which finds the frequent ones; one that
does not fill a page from those is looked up in an index of the three-letter pieces of all names, and what that finds
is sorted.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Select, String, column, false, literal, select, table, tuple_
from sqlalchemy.orm import InstrumentedAttribute, Session

from db import dialect
from db.states import Decision, ImageState
from db.tables import Image, Job, UtcDateTime

LOOK_THROUGH = 5_000
"""Rows in which a file name is looked for one by one: some milliseconds."""

INDEXED_PIECE = 3
"""Characters; a shorter part of a name is in no index."""


_names = table("image_names", column("rowid"), column("image_names"))
_postgresql_names = table("image_names", column("image_id"), column("filename", String))


@dataclass(frozen=True, slots=True)
class Filters:
    """What a list of images is narrowed to; None means no limit. `until` is exclusive. `decision` is the primary's."""

    job_id: int | None = None
    state: ImageState | None = None
    decision: Decision | None = None
    since: datetime | None = None
    until: datetime | None = None
    filename: str | None = None
    user_id: int | None = None


@dataclass(frozen=True, slots=True)
class Start:
    """The key that a page starts after. `at` is for lists in the order of time; None: there is nothing after it."""

    id: int
    at: datetime | None


def start(session: Session, filters: Filters, cursor: int | None, *, newest_first: bool) -> Start | None:
    """Where the page after the image `cursor` starts, None for the first page; the image may be gone by now."""
    if cursor is None:
        return None
    if filters.job_id is not None:
        return Start(cursor, None)
    found = session.execute(
        select(Image.id, Image.created_at).where(Image.id <= cursor).order_by(Image.id.desc()).limit(1)
    ).one_or_none()
    if found is None:
        return Start(0, None) if newest_first else None
    return Start(found.id + (newest_first and found.id < cursor), found.created_at)


def narrowed(filters: Filters, after: Start | None, *, newest_first: bool) -> Select[Image]:
    """The images that match, in order, all conditions applied row by row but the leading one."""
    query = select(Image).where(*_conditions(filters, after, newest_first))
    return query.order_by(*_order(filters, newest_first))


@dataclass(frozen=True, slots=True)
class Nearby:
    """The rows that follow the start of a page, as far as names are looked for one by one."""

    images: Select[Image]
    are_all: bool


def nearby(session: Session, filters: Filters, after: Start | None, *, newest_first: bool) -> Nearby:
    """As `narrowed`, but only among the next `LOOK_THROUGH` that meet the leading condition."""
    leading = {name: value for name, value in _wanted(filters).items() if name in _leading(filters)}
    led = Filters(**leading, since=filters.since, until=filters.until)
    # All of it in the index, so without the state that a decision implies: the rows themselves lie scattered.
    terms = [_equals(getattr(Image, name), value, leads=True) for name, value in leading.items()]
    within = [*terms, *_between(led, after, newest_first)]
    query = select(Image.created_at, Image.id).where(*within).order_by(*_order(led, newest_first))
    last = session.execute(query.offset(LOOK_THROUGH).limit(1)).one_or_none()
    if last is None:
        return Nearby(narrowed(filters, after, newest_first=newest_first), are_all=True)
    row, here = tuple_(Image.created_at, Image.id), tuple_(literal(last.created_at, UtcDateTime()), last.id)
    nearer = replace(filters, since=None) if newest_first else replace(filters, until=None)  # one limit at each end
    images = narrowed(nearer, after, newest_first=newest_first)
    return Nearby(images.where(row > here if newest_first else row < here), are_all=False)


def by_name(session: Session, filters: Filters, after: Start | None, *, newest_first: bool) -> Select[Image]:
    """As `narrowed`, from the index of names; `filename` has at least `INDEXED_PIECE` characters."""
    if session.get_bind().dialect.name == "sqlite":
        phrase = '"' + (filters.filename or "").replace('"', '""') + '"'
        named = select(_names.c.rowid).where(_names.c.image_names.op("MATCH")(phrase))
    else:
        # A CTE that is read as a whole: a plan for the first few rows may be one that passes over a million.
        names = _postgresql_names.c
        matching = select(names.image_id).where(names.filename.icontains(filters.filename or "", autoescape=True))
        named = select(matching.cte("named").prefix_with("MATERIALIZED", dialect="postgresql").c.image_id)
    query = select(Image).where(Image.id.in_(named), *_conditions(filters, after, newest_first, lead=False))
    return query.order_by(*_order(filters, newest_first))


def _order(filters: Filters, newest_first: bool) -> list[ColumnElement[Any]]:
    keys = (Image.id,) if filters.job_id is not None else (Image.created_at, Image.id)
    return [key.desc() if newest_first else key.asc() for key in keys]


def _conditions(
    filters: Filters, after: Start | None, newest_first: bool, *, lead: bool = True
) -> list[ColumnElement[bool]]:
    # What is being erased is out of sight at once. There are few such jobs, and they have an index of their own.
    conditions: list[ColumnElement[bool]] = [Image.job_id.not_in(select(Job.id).where(Job.deleted_at.is_not(None)))]
    if filters.decision is not None and filters.state not in (None, ImageState.DONE):
        return [false()]  # see _wanted
    if filters.filename:
        conditions.append(_named(filters))
    return [*conditions, *_terms(filters, lead=lead), *_between(filters, after, newest_first)]


def _wanted(filters: Filters) -> dict[str, Any]:
    """Values by column. What has a decision is done, and only that."""
    state = filters.state if filters.decision is None else ImageState.DONE
    wanted = {"job_id": filters.job_id, "user_id": filters.user_id, "state": state, "decision": filters.decision}
    return {name: value for name, value in wanted.items() if value is not None}


def _terms(filters: Filters, *, lead: bool) -> list[ColumnElement[bool]]:
    leading = _leading(filters) if lead else ()
    return [_equals(getattr(Image, name), value, leads=name in leading) for name, value in _wanted(filters).items()]


def _leading(filters: Filters) -> tuple[str, ...]:
    """What is likely to leave the fewest rows. Nearly all images are done."""
    if filters.job_id is not None:
        return "job_id", "state", "decision"
    if filters.state not in (None, ImageState.DONE):
        return ("state",)
    return ("decision",) if filters.user_id is None else ("user_id",)


def _equals(attribute: InstrumentedAttribute[Any], value: int | StrEnum, *, leads: bool) -> ColumnElement[bool]:
    """With the words of enums in the SQL, for partial indexes and for PostgreSQL's statistics."""
    known = value if isinstance(value, int) else dialect.inline(value, attribute)
    return attribute == known if leads else dialect.unindexed(attribute) == known


def _named(filters: Filters) -> ColumnElement[bool]:
    return Image.filename.icontains(filters.filename or "", autoescape=True)


def _between(filters: Filters, after: Start | None, newest_first: bool) -> list[ColumnElement[bool]]:
    """The span of time and the start of the page, one limit at each end: SQLite uses one, and not the closer."""
    if filters.job_id is not None:
        start = [] if after is None else [Image.id < after.id if newest_first else Image.id > after.id]
        return start + _times(filters.since, filters.until)
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
