"""Views of the worklist, each a filter and an order that a user saved under a name and that nobody else sees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from core.errors import Conflict, InvalidInput, NotFound
from db import dialect
from db.session import Database, now
from db.tables import SavedView

MAX_NAME_CHARS = 80
MAX_PER_USER = 50


def views_of(session: Session, user_id: int) -> Sequence[SavedView]:
    return session.scalars(select(SavedView).where(SavedView.user_id == user_id).order_by(SavedView.name)).all()


def save(database: Database, user_id: int, name: str, fields: Mapping[str, str]) -> None:
    """Save the fields of a filter under a name; a view that has it already is replaced.

    Raises:
        InvalidInput: the name is empty.
        Conflict: the user has as many views as one may have.
    """
    name = " ".join(name.split())[:MAX_NAME_CHARS]
    if not name:
        raise InvalidInput("Give the view a name, and save it again.")
    with database.begin() as session:
        others = select(func.count()).where(SavedView.user_id == user_id, SavedView.name != name)
        if session.scalars(others).one() >= MAX_PER_USER:
            raise Conflict(f"You have {MAX_PER_USER} saved views, which is the most: delete one first.")
        values = {"user_id": user_id, "name": name, "fields": dict(fields), "created_at": now(session)}
        insert = dialect.insert(session, SavedView).values(values)
        same = (SavedView.user_id, SavedView.name)
        session.execute(insert.on_conflict_do_update(index_elements=same, set_={"fields": insert.excluded.fields}))


def fields_of(database: Database, user_id: int, view_id: int) -> Mapping[str, str]:
    """What the filter of a view holds. Raises NotFound: this user has no such view."""
    with database.read() as session:
        mine = select(SavedView.fields).where(SavedView.id == view_id, SavedView.user_id == user_id)
        fields = session.scalars(mine).one_or_none()
    if fields is None:
        raise NotFound("This saved view is not there any more.")
    return fields


def forget(database: Database, user_id: int, view_id: int) -> None:
    """Delete a view of this user, if it is there."""
    with database.begin() as session:
        session.execute(delete(SavedView).where(SavedView.id == view_id, SavedView.user_id == user_id))
