"""How much work waits, and what just ended."""

from __future__ import annotations

from datetime import timedelta

from db import backlog
from db.session import now
from tests.unit.db.conftest import Desk


def test_the_backlog_counts_what_waits_and_what_just_ended(desk: Desk) -> None:
    desk.job(4)
    first, second = desk.claim(2)
    desk.finish([first])
    desk.fail(second, transient=False)
    desk.claim(1)
    with desk.database.read() as session:
        at = now(session)
        seen = backlog.read(session, at)
        later = backlog.read(session, at + timedelta(hours=2))
    assert (seen.queued, seen.running, seen.done_last_hour, seen.failed_last_hour) == (1, 1, 1, 1)
    assert seen.oldest_queued_at == desk.images()[3].created_at
    assert (later.done_last_hour, later.failed_last_hour) == (0, 0)


def test_an_empty_backlog_has_no_oldest(desk: Desk) -> None:
    with desk.database.read() as session:
        assert backlog.read(session, now(session)).oldest_queued_at is None
