"""Who shall read which images. It hides nothing from anybody: it is a list of one's own."""

from __future__ import annotations

from sqlalchemy import update

from core.plural import counted
from db.audit import Action, Kind
from db.listing.filters import Filters, filtered
from db.listing.images import order_in
from db.listing.order import Key, Sort
from db.session import Database
from db.tables import Image
from services.caller import Caller

CHUNK = 1000
"""Images of one transaction: some tens of milliseconds, for which other writers of SQLite wait."""


def assign(database: Database, caller: Caller, filters: Filters, assignee_id: int | None) -> int:
    """Assign the images that match to a user, or to nobody; how many. Each thousand has its entry in the audit log."""
    total, after = _assign_some(database, caller, filters, None, assignee_id)
    while after is not None:
        count, after = _assign_some(database, caller, filters, after, assignee_id)
        total += count
    return total


def _assign_some(
    database: Database, caller: Caller, filters: Filters, after: Key | None, assignee_id: int | None
) -> tuple[int, Key | None]:
    """The next images: how many, and the key of the last; None: no further ones follow."""
    order = order_in(filters, Sort.OLDEST)
    with database.begin() as session:
        query = filtered(filters, order, after).with_only_columns(*order.columns).limit(CHUNK)
        rows = session.execute(query).all()
        if rows:
            ids = [row.id for row in rows]
            session.execute(update(Image).where(Image.id.in_(ids)).values(assignee_id=assignee_id))
            whom = "nobody" if assignee_id is None else f"user {assignee_id}"
            caller.record(session, Action.ASSIGNED, Kind.RESULTS, None, f"{counted(len(rows), 'image')} to {whom}")
    return len(rows), order.key_of(rows[-1]) if len(rows) == CHUNK else None
