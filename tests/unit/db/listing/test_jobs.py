"""The list of jobs."""

from __future__ import annotations

from db.listing import jobs
from tests.unit.db.conftest import Desk


def test_jobs_are_paged_newest_first(desk: Desk) -> None:
    made = [desk.job()[0].id for _ in range(5)]
    with desk.database.read() as session:
        first = jobs.page(session, limit=3)
        second = jobs.page(session, limit=3, cursor=first.next_cursor)
    assert [job.id for job in [*first.items, *second.items]] == made[::-1]
    assert second.next_cursor is None
