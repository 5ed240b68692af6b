"""Texts that users search for. They are stored in the database, so that addresses, which logs keep, have only a key."""

from __future__ import annotations

from datetime import datetime

from db.accounts import searches
from db.session import Database, now

GONE = "This search is no longer kept. Type it again."


def keep(database: Database, user_id: int, text: str) -> tuple[str, datetime]:
    """The key under which this user, and nobody else, finds `text` again, and until when."""
    with database.begin() as session:
        search = searches.keep(session, user_id, text, now(session))
        return search.key, search.expires_at


def text_of(database: Database, user_id: int, key: str) -> str:
    """What this user searched for.

    Raises:
        ValueError: this user has no such search, or no longer; the text is a sentence for the user.
    """
    with database.read() as session:
        text = searches.text_of(session, user_id, key, now(session))
    if text is None:
        raise ValueError(GONE)
    return text
