"""Pages of a list, by key: a page costs the same wherever in a million rows it lies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from db.tables import AuditEntry, Image, Job, Rejection

Item = TypeVar("Item")
Row = TypeVar("Row", AuditEntry, Image, Job, Rejection)


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """One page, and the key that the next one starts after; None on the last page."""

    items: Sequence[Item]
    next_cursor: int | None


def page_of(rows: Sequence[Row], limit: int) -> Page[Row]:
    """A page of the first `limit` rows. Read one row more than that: it tells whether another page follows."""
    return Page(rows[:limit], rows[limit - 1].id if len(rows) > limit else None)
