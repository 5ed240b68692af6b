"""What users search for, so that an address carries a key and not the text, which may be a patient's name."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from db.tables import Search

KEPT_FOR = timedelta(hours=12)
MOST_OF_A_USER = 100
"""Older ones of the same user are dropped."""
MAX_CHARS = 200


def keep(session: Session, user_id: int, text: str, now: datetime) -> Search:
    """A search of `user_id` for `text`, which its key names from now on."""
    row = Search(user_id=user_id, key=secrets.token_urlsafe(16), text=text[:MAX_CHARS], expires_at=now + KEPT_FOR)
    session.add(row)
    session.flush()
    newest = select(Search.id).where(Search.user_id == user_id).order_by(Search.id.desc()).limit(MOST_OF_A_USER)
    session.execute(delete(Search).where(Search.user_id == user_id, Search.id.not_in(newest)))
    return row


def text_of(session: Session, user_id: int, key: str, now: datetime) -> str | None:
    """What `user_id` searched for under `key`; None if this user has no such search, or no longer."""
    wanted = select(Search.text).where(Search.user_id == user_id, Search.key == key, Search.expires_at > now)
    return session.scalars(wanted).one_or_none()


def forget(session: Session, now: datetime) -> None:
    """Drop the searches whose time is over."""
    session.execute(delete(Search).where(Search.expires_at <= now))
