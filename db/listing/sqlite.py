"""The index of file names on SQLite: FTS5, whose trigram tokenizer keeps the three-letter pieces of every name."""

from __future__ import annotations

from sqlalchemy import Select, column, select, table

_names = table("image_names", column("rowid"), column("image_names"))


def image_ids(part: str) -> Select[int]:
    """Ids of the images whose name contains `part`, of three characters or more."""
    phrase = '"' + part.replace('"', '""') + '"'
    return select(_names.c.rowid).where(_names.c.image_names.op("MATCH")(phrase))
