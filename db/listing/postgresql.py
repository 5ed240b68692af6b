"""The index of file names on PostgreSQL: pg_trgm, a GIN index of the three-letter pieces of every name."""

from __future__ import annotations

from sqlalchemy import Select, String, column, select, table

_names = table("image_names", column("image_id"), column("filename", String))


def image_ids(part: str) -> Select[int]:
    """Ids of the images whose name contains `part`, of three characters or more."""
    # A CTE that is read as a whole: a plan for the first few rows may be one that passes over a million.
    matching = select(_names.c.image_id).where(_names.c.filename.icontains(part, autoescape=True))
    return select(matching.cte("named").prefix_with("MATERIALIZED", dialect="postgresql").c.image_id)
