"""When the sweeper, and any other part of the service that is no worker, was last at work."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import or_
from sqlalchemy.orm import Session

from db import dialect
from db.tables import Heartbeat

SWEEPER = "sweeper"

WRITTEN_EVERY_S = 5.0
"""A heartbeat younger than this is not written again: every change is a write to the disk."""


def beat(session: Session, name: str, now: datetime) -> None:
    """Note that `name` is at work. Processes may share a name: the row says when any of them was last seen."""
    insert = dialect.insert(session, Heartbeat).values(name=name, seen_at=now)
    old = Heartbeat.seen_at < now - timedelta(seconds=WRITTEN_EVERY_S)
    clock_was_set_back = Heartbeat.seen_at > now
    session.execute(
        insert.on_conflict_do_update(index_elements=["name"], set_={"seen_at": now}, where=or_(old, clock_was_set_back))
    )


def last_seen(session: Session, name: str) -> datetime | None:
    """When `name` was last seen; None: never."""
    heartbeat = session.get(Heartbeat, name)
    return heartbeat.seen_at if heartbeat else None
