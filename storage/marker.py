"""The marker of a blob store: a small file, or object, with an id that no other store has.

It tells the store from whatever else may lie at its place: a folder that is not mounted, an empty disk, another
hospital's bucket. `db/stores.py` compares it with the id that the database has recorded.
"""

from __future__ import annotations

import re
import secrets

NAME = "store-id"
"""Not hidden, so that whoever copies all files copies it too."""

MAX_BYTES = 64
_ID = re.compile(r"[0-9a-f]{32}")


def new_id() -> str:
    return secrets.token_hex(16)


def write(store_id: str) -> bytes:
    """The content of a marker."""
    return f"{store_id}\n".encode()


def read(content: bytes) -> str | None:
    """The id in a marker; None if it is damaged."""
    text = content.decode("ascii", "replace").strip()
    return text if _ID.fullmatch(text) else None
