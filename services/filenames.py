"""Names of files: stored as they were sent, so that their sender finds them again, and shown without odd characters."""

from __future__ import annotations

import unicodedata

from db.tables import MAX_FILENAME

UNNAMED = "unnamed"
"""A file without a name, or whose name has nothing that can be shown."""


def stored(filename: str) -> str:
    """`filename` as it was sent, without NUL and half surrogate pairs, which no database stores, cut to its end."""
    storable = "".join("\N{REPLACEMENT CHARACTER}" if _is_unstorable(c) else c for c in filename)
    return storable[-MAX_FILENAME:] or UNNAMED


def shown(filename: str) -> str:
    """A stored name as pages and sentences show it."""
    return clean(filename) or UNNAMED


def clean(text: str) -> str:
    """`text` without control, format and unassigned characters; the last 512 characters of it."""
    visible = "".join(c for c in text if not unicodedata.category(c).startswith("C"))
    return visible.strip()[-MAX_FILENAME:]


def _is_unstorable(character: str) -> bool:
    return character == "\0" or "\ud800" <= character <= "\udfff"
