"""Images with a part of a file name, which no index of the list's order answers.

It is first looked for in the next rows, which finds the frequent parts. One that does not fill a page from those is
looked up in an index of the three-letter pieces of all names (`sqlite.py`, `postgresql.py`), and the result is sorted.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlalchemy import Select, literal, select, tuple_
from sqlalchemy.orm import Session

from db import dialect
from db.listing import postgresql, sqlite
from db.listing.filters import Filters, Start, between, conditions, equals, filtered, leading, order, wanted
from db.tables import Image, UtcDateTime

LOOK_THROUGH = 5_000
"""Rows in which a file name is looked for one by one: some milliseconds."""

INDEXED_PIECE = 3
"""Characters; a shorter part of a name is in no index."""


@dataclass(frozen=True, slots=True)
class Nearby:
    """The rows that follow the start of a page, as far as names are looked for one by one."""

    images: Select[Image]
    are_all: bool


def nearby(session: Session, filters: Filters, after: Start | None, *, newest_first: bool) -> Nearby:
    """Like `filtered`, but only among the next `LOOK_THROUGH` that meet the leading condition."""
    first = {name: value for name, value in wanted(filters).items() if name in leading(filters)}
    led = Filters(**first, since=filters.since, until=filters.until)
    # All of it in the index, so without the state that a decision implies: the rows themselves lie scattered.
    terms = [equals(getattr(Image, name), value, leads=True) for name, value in first.items()]
    within = [*terms, *between(led, after, newest_first)]
    query = select(Image.created_at, Image.id).where(*within).order_by(*order(led, newest_first))
    last = session.execute(query.offset(LOOK_THROUGH).limit(1)).one_or_none()
    if last is None:
        return Nearby(filtered(filters, after, newest_first=newest_first), are_all=True)
    row, here = tuple_(Image.created_at, Image.id), tuple_(literal(last.created_at, UtcDateTime()), last.id)
    nearer = replace(filters, since=None) if newest_first else replace(filters, until=None)  # one limit at each end
    images = filtered(nearer, after, newest_first=newest_first)
    return Nearby(images.where(row > here if newest_first else row < here), are_all=False)


def by_name(session: Session, filters: Filters, after: Start | None, *, newest_first: bool) -> Select[Image]:
    """Like `filtered`, from the index of names; `filename` has at least `INDEXED_PIECE` characters."""
    index = sqlite if dialect.is_sqlite(session) else postgresql
    named = Image.id.in_(index.image_ids(filters.filename or ""))
    query = select(Image).where(named, *conditions(filters, after, newest_first, lead=False))
    return query.order_by(*order(filters, newest_first))
