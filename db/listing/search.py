"""Finds images by a part of their file name, for which the indexes of the lists are no use.

The next rows of the list are searched first: a frequent part fills a page from those. A rarer one is looked up in an
index of the three-letter pieces of all names (`sqlite.py`, `postgresql.py`), and its images are sorted.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from db import dialect
from db.listing import postgresql, sqlite
from db.listing.filters import Filters, conditions, equals, filtered, leading, span_of, wanted
from db.listing.order import Key, Order
from db.tables import Image

LOOK_THROUGH = 5_000
"""Rows whose names are compared one by one: some milliseconds."""

INDEXED_PIECE = 3
"""Characters; a shorter part of a name is in no index."""


@dataclass(frozen=True, slots=True)
class Nearby:
    """The matching images among the next rows of a list. `are_all`: no further rows follow those."""

    images: Select[Image]
    are_all: bool


def nearby(session: Session, filters: Filters, order: Order, after: Key | None) -> Nearby:
    """Like `filtered`, but only among the next `LOOK_THROUGH` rows that meet the leading condition."""
    first = {name: value for name, value in wanted(filters).items() if name in leading(filters, order)}
    # Without the state that a decision implies, so that the index alone answers: reading the rows would be slow.
    terms = [equals(getattr(Image, name), value, leads=True) for name, value in first.items()]
    query = select(*order.columns).where(*terms, *order.window(span_of(filters, order), after)).order_by(*order.terms)
    last = session.execute(query.offset(LOOK_THROUGH).limit(1)).one_or_none()
    if last is None:
        return Nearby(filtered(filters, order, after), are_all=True)
    return Nearby(filtered(filters, order, after, order.key_of(last)), are_all=False)


def by_name(session: Session, filters: Filters, order: Order, after: Key | None) -> Select[Image]:
    """Like `filtered`, from the index of names; `filename` has at least `INDEXED_PIECE` characters."""
    index = sqlite if dialect.is_sqlite(session) else postgresql
    named = Image.id.in_(index.image_ids(filters.filename or ""))
    return select(Image).where(named, *conditions(filters, order, after, lead=False)).order_by(*order.terms)
