"""Writes of `published_at` that take long on PostgreSQL: they hold the locks of their rows for as long."""

from __future__ import annotations

from sqlalchemy import text

from db.session import Database

_SLOW = """
CREATE FUNCTION slow_stamp() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep({s}); RETURN NEW; END';
CREATE TRIGGER slow_stamp BEFORE UPDATE OF published_at ON images FOR EACH ROW EXECUTE FUNCTION slow_stamp()
"""


def begin(database: Database, seconds: float) -> None:
    """From now on each UPDATE that names `published_at` takes `seconds` for each row."""
    with database.begin() as session:
        session.execute(text(_SLOW.format(s=seconds)))


def end(database: Database) -> None:
    with database.begin() as session:
        session.execute(text("DROP TRIGGER slow_stamp ON images; DROP FUNCTION slow_stamp"))
