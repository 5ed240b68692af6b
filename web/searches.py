"""Texts that a user searches for stand in the database; addresses, and so logs and histories, carry a key alone."""

from __future__ import annotations

from datetime import datetime

from db.accounts import searches
from db.session import now
from web.auth import user
from web.services import services

GONE = "This search is no longer kept. Type it again."


def keep(text: str) -> tuple[str, datetime]:
    """The key under which the signed-in user, and nobody else, finds `text` again, and until when."""
    with services().database.begin() as database:
        search = searches.keep(database, user().id, text, now(database))
        return search.key, search.expires_at


def text_of(key: str) -> str:
    """What the signed-in user searched for.

    Raises:
        ValueError: this user has no such search, or no longer; the text is a sentence for the user.
    """
    with services().database.read() as database:
        text = searches.text_of(database, user().id, key, now(database))
    if text is None:
        raise ValueError(GONE)
    return text
