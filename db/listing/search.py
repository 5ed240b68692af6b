"""Finds images by a part of their file name, for which the indexes of the lists are no use.

The next rows of the list are searched first: a frequent part fills a page from those. A rarer one is looked up in an
index of the three-letter pieces of all names (`sqlite.py`, `postgresql.py`), and its images are sorted.
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
"""Rows whose names are compared one by one: some milliseconds."""

INDEXED_PIECE = 3
"""Characters; a shorter part of a name is in no index."""


@dataclass(frozen=True, slots=True)
class Nearby:
    """The matching images among the next rows of a list. `are_all`: no further rows follow those."""

    images: Select[Image]
    are_all: bool


def nearby(session: Session, filters: Filters, after: Start | None, *, newest_first: bool) -> Nearby:
    """Like `filtered`, but only among the next `LOOK_THROUGH` rows that meet the leading condition."""
    first = {name: value for name, value in wanted(filters).items() if name in leading(filters)}
    led = Filters(**first, since=filters.since, until=filters.until)
    # Without the state that a decision implies, so that the index alone answers: reading the rows would be slow.
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
