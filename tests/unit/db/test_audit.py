"""The audit log: rows are added and read, and nothing else."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from db import audit
from db.audit import CLI, Action, Actor, Filters, Kind
from db.session import Database, now

ADA = Actor("ada", 1, "admin", "192.0.2.1")


@pytest.fixture
def log(database: Database) -> Database:
    """Three entries, an hour apart."""
    with database.begin() as session:
        at = now(session) - timedelta(hours=3)
        audit.record(session, ADA, Action.VIEWED, at, kind=Kind.IMAGE, object_id=7, detail="page")
        session.flush()
        audit.record(session, CLI, Action.PURGED, at + timedelta(hours=1), kind=Kind.JOB, object_id=7)
        session.flush()
        audit.record(session, ADA, Action.SIGNED_OUT, at + timedelta(hours=2))
    return database


@pytest.mark.parametrize("statement", ["UPDATE audit_entries SET actor = 'eve'", "DELETE FROM audit_entries"])
def test_the_database_refuses_to_change_or_delete_an_entry(log: Database, statement: str) -> None:
    with pytest.raises(DBAPIError, match="append-only"), log.begin() as session:
        session.execute(text(statement))
    with log.read() as session:
        assert [entry.actor for entry in audit.entries(session, Filters()).items] == ["ada", "(cli)", "ada"]


def test_an_entry_keeps_who_did_what_to_what(log: Database) -> None:
    with log.read() as session:
        entry = audit.entries(session, Filters()).items[-1]
    assert (entry.actor, entry.user_id, entry.role, entry.address) == ("ada", 1, "admin", "192.0.2.1")
    assert (entry.action, entry.object_kind, entry.object_id, entry.detail) == ("saw", "image", 7, "page")


@pytest.mark.parametrize(
    ("filters", "actions"),
    [
        (Filters(actor="ada"), ["signed_out", "saw"]),
        (Filters(action=Action.PURGED), ["purged"]),
        (Filters(object_id=7), ["purged", "saw"]),
        (Filters(kind=Kind.IMAGE, object_id=7), ["saw"]),
        (Filters(actor="eve"), []),
    ],
)
def test_each_filter_selects_its_entries(log: Database, filters: Filters, actions: list[str]) -> None:
    with log.read() as session:
        assert [entry.action for entry in audit.entries(session, filters).items] == actions


def test_entries_are_filtered_by_a_time_whose_end_is_exclusive(log: Database) -> None:
    with log.read() as session:
        middle = audit.entries(session, Filters()).items[1].at
        until = audit.entries(session, Filters(until=middle)).items
        since = audit.entries(session, Filters(since=middle)).items
    assert [len(until), len(since)] == [1, 2]


def test_pages_follow_each_other(log: Database) -> None:
    with log.read() as session:
        first = audit.entries(session, Filters(), limit=2)
        second = audit.entries(session, Filters(), limit=2, cursor=first.next_cursor)
    assert [entry.id for entry in [*first.items, *second.items]] == [3, 2, 1]
    assert second.next_cursor is None
