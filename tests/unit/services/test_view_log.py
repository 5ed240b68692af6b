"""What users see is written down once a minute, with whatever it shows besides."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import select

from db.audit import Kind
from db.session import Database
from db.tables import AuditEntry
from services.caller import Caller
from services.view_log import SAME_VIEW_S, ViewLog


def seen(database: Database) -> list[tuple[int | None, str]]:
    with database.read() as session:
        rows = session.scalars(select(AuditEntry).where(AuditEntry.action == "saw").order_by(AuditEntry.id))
        return [(row.object_id, row.detail) for row in rows]


def test_the_same_view_is_written_again_after_a_minute(database: Database, caller: Caller) -> None:
    time_s = [0.0]
    view_log = ViewLog(database, clock=lambda: time_s[0])
    for time_s[0] in (0.0, SAME_VIEW_S - 1, SAME_VIEW_S):
        view_log.record(caller, Kind.IMAGE, 1, "page")
    assert seen(database) == [(1, "page"), (1, "page")]


def test_what_a_view_includes_needs_no_entry(database: Database, caller: Caller) -> None:
    view_log = ViewLog(database)
    view_log.record(caller, Kind.IMAGE, 1, "page", "file")
    view_log.record(caller, Kind.IMAGE, 1, "file")
    view_log.record(caller, Kind.IMAGE, 2, "file")
    assert seen(database) == [(1, "page"), (2, "file")]


def test_another_user_has_an_entry_of_their_own(database: Database, caller: Caller) -> None:
    view_log = ViewLog(database)
    view_log.record(caller, Kind.RESULTS, None, "list")
    view_log.record(replace(caller, user_id=404), Kind.RESULTS, None, "list")
    assert seen(database) == [(None, "list"), (None, "list")]
