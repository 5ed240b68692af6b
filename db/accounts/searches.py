"""What users search for. Addresses have a key for it and not the text, which may be a patient's name."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from db.tables import Search

KEPT_FOR = timedelta(hours=12)
MAX_PER_USER = 100
"""Older searches of the same user are deleted."""
MAX_CHARS = 200


def keep(session: Session, user_id: int, text: str, now: datetime) -> Search:
    """Store a text that `user_id` searches for, under a new key."""
    row = Search(user_id=user_id, key=secrets.token_urlsafe(16), text=text[:MAX_CHARS], expires_at=now + KEPT_FOR)
    session.add(row)
    session.flush()
    newest = select(Search.id).where(Search.user_id == user_id).order_by(Search.id.desc()).limit(MAX_PER_USER)
    session.execute(delete(Search).where(Search.user_id == user_id, Search.id.not_in(newest)))
    return row


def text_of(session: Session, user_id: int, key: str, now: datetime) -> str | None:
    """The text that `user_id` stored under `key`; None if there is none, or its time is over."""
    wanted = select(Search.text).where(Search.user_id == user_id, Search.key == key, Search.expires_at > now)
    return session.scalars(wanted).one_or_none()


def forget(session: Session, now: datetime) -> None:
    """Drop the searches whose time is over."""
    session.execute(delete(Search).where(Search.expires_at <= now))
