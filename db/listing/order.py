"""The orders of a list of images, each total: no two images share a place. All columns of an order go one way.

A page starts after the key of an image: its values in the order's columns. So a page costs the same wherever in the
list it lies, and no image is left out or repeated while others come and go.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Tuple, literal, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute, Session

from core.errors import InvalidInput
from db.tables import Image

Key = tuple[Any, ...]


class Sort(StrEnum):
    """`suspicion`: the most probable pneumonia first, of equals the older one; what nobody judged comes last."""

    SUSPICION = "suspicion"
    NEWEST = "newest"
    OLDEST = "oldest"
    NAME = "name"


@dataclass(frozen=True, slots=True)
class Span:
    """Limits of a column, `low <= column < high`; None: no limit."""

    low: Any = None
    high: Any = None


@dataclass(frozen=True, slots=True)
class Order:
    """The columns that a list is sorted by, and whether they all descend."""

    columns: tuple[InstrumentedAttribute[Any], ...]
    descending: bool

    @property
    def first(self) -> InstrumentedAttribute[Any]:
        return self.columns[0]

    @property
    def terms(self) -> list[ColumnElement[Any]]:
        return [column.desc() if self.descending else column.asc() for column in self.columns]

    def turned(self) -> Order:
        """The same list, read from its end."""
        return replace(self, descending=not self.descending)

    def key_of(self, row: Any) -> Key:
        return tuple(getattr(row, column.key) for column in self.columns)

    def window(self, span: Span, after: Key | None, stop: Key | None = None) -> list[ColumnElement[bool]]:
        """The rows within `span`, a span of the first column, that follow `after` and come before `stop`.

        It is one limit at each end: of two, SQLite may use the farther one.
        """
        low = [] if span.low is None else [self.first >= _value(self.first, span.low)]
        high = [] if span.high is None else [self.first < _value(self.first, span.high)]
        if self.descending:
            inside = after is not None and (span.high is None or after[0] < span.high)
            near, far = (high, low)
        else:
            inside = after is not None and (span.low is None or span.low <= after[0])
            near, far = (low, high)
        row = tuple_(*self.columns)
        if inside and after is not None:
            near = [row < self._here(after) if self.descending else row > self._here(after)]
        if stop is not None:
            far = [row > self._here(stop) if self.descending else row < self._here(stop)]
        return [*near, *far]

    def _here(self, key: Key) -> Tuple:
        return tuple_(*(_value(column, value) for column, value in zip(self.columns, key, strict=True)))


def order_of(sort: Sort, *, of_one_job: bool) -> Order:
    """The images of one job are in the order of their ids when they are sorted by time."""
    if sort is Sort.SUSPICION:
        return Order((Image.suspicion_rank, Image.created_at, Image.id), descending=False)
    if sort is Sort.NAME:
        return Order((Image.filename, Image.id), descending=False)
    columns: Sequence[InstrumentedAttribute[Any]] = (Image.id,) if of_one_job else (Image.created_at, Image.id)
    return Order(tuple(columns), descending=sort is Sort.NEWEST)


def key_after(session: Session, order: Order, cursor: int | None) -> Key | None:
    """The key of the image `cursor`, after which a page starts; None for the first page.

    In lists by time the image may be deleted by now: the one sent before it stands for it.

    Raises:
        InvalidInput: the list is sorted otherwise and the image is deleted, so that nobody knows its place any more.
    """
    if cursor is None:
        return None
    if order.first.key == "id":
        return (cursor,)
    query = select(*order.columns)
    if (row := session.execute(query.where(Image.id == cursor)).one_or_none()) is not None:
        return order.key_of(row)
    if order.first.key != "created_at":
        raise InvalidInput("The image that this page starts after has been deleted. Start again from the first page.")
    before = session.execute(query.where(Image.id < cursor).order_by(Image.id.desc()).limit(1)).one_or_none()
    if before is None:
        return (datetime.min.replace(tzinfo=UTC), 0) if order.descending else None
    return before.created_at, before.id + order.descending  # newest first, that image itself comes next


def _value(column: InstrumentedAttribute[Any], value: Any) -> ColumnElement[Any]:
    return literal(value, column.type)
