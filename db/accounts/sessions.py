"""Sessions of signed-in browsers. A session lasts as long as its row: without that, no copy of the cookie is valid.

Only a sign-in inserts a row. Everything else is an UPDATE, so that a request that ends after its user has signed out
cannot bring the session back.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Update, delete, or_, update
from sqlalchemy.orm import Session

from core.settings import Settings
from db.tables import BrowserSession, User

TOUCH_EVERY = timedelta(minutes=1)
"""The use of a session is written no more often than this, so that most pages are read without a write."""


@dataclass(frozen=True, slots=True)
class Limits:
    """When a session ends by itself: unused for `idle`, and after `absolute` in any case."""

    idle: timedelta
    absolute: timedelta


def limits(settings: Settings) -> Limits:
    return Limits(
        timedelta(hours=settings.security.session_hours), timedelta(hours=settings.security.session_absolute_hours)
    )


def new_id() -> str:
    """256 random bits, as 43 characters for a cookie."""
    return secrets.token_urlsafe(32)


def start(session: Session, user: User, limits: Limits, now: datetime) -> str:
    """Begin a session of `user`; return the id for the cookie."""
    session_id = new_id()
    row = BrowserSession(
        id_sha256=_digest(session_id),
        user_id=user.id,
        created_at=now,
        seen_at=now,
        expires_at=now + limits.absolute,
        data={},
    )
    session.add(row)
    return session_id


def find(session: Session, session_id: str, limits: Limits, now: datetime) -> BrowserSession | None:
    """The session with its user, unless it is over or the user is disabled."""
    row = session.get(BrowserSession, _digest(session_id))
    if row is None or row.user.disabled_at is not None:
        return None
    over = row.expires_at <= now or row.seen_at + limits.idle <= now or row.created_at + limits.absolute <= now
    return None if over else row


def touch(session: Session, session_id: str, now: datetime) -> None:
    """Note that the session is in use."""
    session.execute(_of(session_id).where(BrowserSession.seen_at < now).values(seen_at=now))


def write(session: Session, session_id: str, data: Mapping[str, Any]) -> None:
    """Store what the pages put into the session. If it has ended meanwhile, nothing is stored."""
    session.execute(_of(session_id).values(data=dict(data)))


def end(session: Session, session_id: str) -> None:
    session.execute(delete(BrowserSession).where(BrowserSession.id_sha256 == _digest(session_id)))


def end_all(session: Session, user: User, *, but: str | None = None) -> int:
    """End every session of `user`, except that of the id `but`; how many there were."""
    ended = delete(BrowserSession).where(BrowserSession.user_id == user.id)
    if but is not None:
        ended = ended.where(BrowserSession.id_sha256 != _digest(but))
    return len(session.scalars(ended.returning(BrowserSession.id_sha256)).all())


def forget(session: Session, limits: Limits, now: datetime) -> None:
    """Delete the sessions that are over."""
    over = or_(BrowserSession.expires_at <= now, BrowserSession.seen_at <= now - limits.idle)
    session.execute(delete(BrowserSession).where(over))


def _of(session_id: str) -> Update:
    return update(BrowserSession).where(BrowserSession.id_sha256 == _digest(session_id))


def _digest(session_id: str) -> str:
    return hashlib.sha256(session_id.encode()).hexdigest()
