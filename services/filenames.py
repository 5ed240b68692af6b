"""Names of files: stored as they were sent, so that whoever sent them finds them again, and cleaned to be shown."""

from __future__ import annotations

import unicodedata

from db.tables import MAX_FILENAME

UNNAMED = "unnamed"
"""A file without a name, or whose name has nothing that can be shown."""


def stored(filename: str) -> str:
    """`filename` as it was sent, but for what no database holds: NUL, half a surrogate pair, all but the end."""
    kept = "".join("\N{REPLACEMENT CHARACTER}" if _is_unstorable(c) else c for c in filename)
    return kept[-MAX_FILENAME:] or UNNAMED


def shown(filename: str) -> str:
    """A stored name as pages and sentences have it."""
    return clean(filename) or UNNAMED


def clean(text: str) -> str:
    """`text` fit to be shown: no control, format or unassigned characters, at most 512, the end being kept."""
    visible = "".join(c for c in text if not unicodedata.category(c).startswith("C"))
    return visible.strip()[-MAX_FILENAME:]


def _is_unstorable(character: str) -> bool:
    return character == "\0" or "\ud800" <= character <= "\udfff"
