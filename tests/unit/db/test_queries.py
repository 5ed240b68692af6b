"""What pages and the API read."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import event, text
from sqlalchemy.orm import Session

from db import claims, jobs, queries
from db.listing import export
from db.listing.filters import Filters
from db.queries import Progress
from db.session import now
from db.states import Decision, ImageState, JobState
from db.tables import Job
from tests.testing import factories
from tests.unit.db.conftest import Desk


def progress(desk: Desk, job: Job) -> Progress:
    with desk.database.read() as session:
        return queries.progress(session, session.get_one(Job, job.id))


def found(desk: Desk, filters: Filters) -> list[int]:
    with desk.database.read() as session:
        return [image.id for image in queries.images(session, filters).items]


def test_a_job_without_images_is_empty(desk: Desk) -> None:
    job, _ = desk.job()
    seen = progress(desk, job)
    assert (seen.state, seen.total, seen.finished, seen.finished_at) == (JobState.EMPTY, 0, 0, None)


def test_a_job_goes_from_queued_over_running_to_done(desk: Desk) -> None:
    job, _ = desk.job(2)
    states = [progress(desk, job).state]
    for claim in desk.claim(1) + desk.claim(1):
        states.append(progress(desk, job).state)
        desk.finish([claim])
    states.append(progress(desk, job).state)
    assert states == ["queued", "running", "running", "done"]


def test_a_job_part_of_which_is_finished_is_running_though_nobody_holds_the_rest(desk: Desk) -> None:
    job, _ = desk.job(2)
    desk.finish(desk.claim(1))
    assert progress(desk, job).state is JobState.RUNNING


def test_images_that_a_worker_of_the_release_before_finished_are_counted_too(desk: Desk) -> None:
    job, _ = desk.job(3)
    desk.finish(desk.claim(2))
    with desk.database.begin() as session:
        session.execute(text("UPDATE images SET decision = NULL WHERE id = 1"))
    assert progress(desk, job).decisions[Decision.PNEUMONIA] == 2


def test_a_cancelled_job_runs_until_the_last_worker_is_done(desk: Desk) -> None:
    job, _ = desk.job(2)
    held = desk.claim(1)
    desk.cancel(job)
    assert progress(desk, job).state is JobState.RUNNING
    desk.finish(held)
    assert progress(desk, job).state is JobState.CANCELLED


def test_an_empty_job_can_be_cancelled(desk: Desk) -> None:
    job, _ = desk.job()
    desk.cancel(job)
    assert progress(desk, job).state is JobState.CANCELLED


def test_images_are_counted_by_state_and_predictions_by_decision(desk: Desk) -> None:
    job, _ = desk.job(4)
    desk.job(3)
    first, second = desk.claim(2)
    desk.finish([first])
    desk.fail(second, transient=False)
    desk.claim(1)
    seen = progress(desk, job)
    assert seen.counts == {"queued": 1, "running": 1, "done": 1, "failed": 1, "cancelled": 0}
    assert seen.decisions == {"normal": 0, "pneumonia": 1, "refused": 0}
    assert (seen.total, seen.finished) == (4, 2)


def test_a_job_is_finished_when_its_last_image_is(desk: Desk) -> None:
    job, _ = desk.job(2)
    first, second = desk.claim()
    desk.finish([first])
    assert progress(desk, job).finished_at is None
    desk.finish([second])
    assert progress(desk, job).finished_at == max(image.finished_at for image in desk.images() if image.finished_at)


def test_an_image_is_read_with_its_job_prediction_and_model(desk: Desk) -> None:
    job, (image_id,) = desk.job(1)
    desk.finish(desk.claim())
    with desk.database.read() as session:
        image = queries.image(session, image_id)
    assert image is not None
    assert image.primary_prediction is not None
    assert (image.job.name, image.primary_prediction.model.name) == (job.name, "fake-brightness")


def test_an_image_that_is_not_there_is_none(desk: Desk) -> None:
    with desk.database.read() as session:
        assert queries.image(session, 404) is None


def test_jobs_are_paged_newest_first(desk: Desk) -> None:
    made = [desk.job()[0].id for _ in range(5)]
    with desk.database.read() as session:
        first = queries.jobs(session, limit=3)
        second = queries.jobs(session, limit=3, cursor=first.next_cursor)
    assert [job.id for job in [*first.items, *second.items]] == made[::-1]
    assert second.next_cursor is None


def test_a_last_page_that_is_just_full_has_no_next(desk: Desk) -> None:
    desk.job(3)
    with desk.database.read() as session:
        assert queries.images(session, Filters(), limit=3).next_cursor is None
        assert queries.images(session, Filters(), limit=2).next_cursor is not None


def test_images_are_narrowed_to_a_job_a_state_or_a_decision(desk: Desk) -> None:
    _, first = desk.job(2)
    second_job, second = desk.job(1)
    desk.finish(desk.claim(1))
    assert found(desk, Filters(job_id=second_job.id)) == second
    assert found(desk, Filters(state=ImageState.DONE)) == first[:1]
    assert found(desk, Filters(decision=Decision.PNEUMONIA)) == first[:1]
    assert found(desk, Filters(decision=Decision.NORMAL)) == []


def test_images_are_narrowed_to_a_time_whose_end_is_exclusive(desk: Desk) -> None:
    desk.job(1)
    (image,) = desk.images()
    at, tick = image.created_at, timedelta(microseconds=1)
    assert found(desk, Filters(since=at)) == [image.id]
    assert found(desk, Filters(since=at + tick)) == []
    assert found(desk, Filters(until=at)) == []
    assert found(desk, Filters(until=at + tick)) == [image.id]


@pytest.mark.parametrize(
    ("part", "names"),
    [
        ("%", ["100%.png"]),
        ("_", ["a_b.png"]),
        ("\\", ["back\\slash.png"]),
        ("/", ["folder/x.png"]),
        ("A_B", ["a_b.png"]),
        ("'", ["o'hara.png"]),
        ("", ["100%.png", "a_b.png", "aXb.png", "back\\slash.png", "folder/x.png", "o'hara.png"]),
        ("zzz", []),
    ],
)
def test_a_part_of_a_file_name_is_taken_literally_and_without_case(desk: Desk, part: str, names: list[str]) -> None:
    files = ["100%.png", "a_b.png", "aXb.png", "back\\slash.png", "folder/x.png", "o'hara.png"]
    with desk.database.begin() as session:
        job = factories.job(session, desk.user)
        new = [jobs.NewImage(name, f"{number:064x}", "image/png", 1, 1, 1) for number, name in enumerate(files)]
        jobs.add_images(session, job, new, now(session))
    with desk.database.read() as session:
        page = queries.images(session, Filters(filename=part), newest_first=False)
    assert [image.filename for image in page.items] == names


@given(limit=st.integers(1, 7), before=st.integers(0, 12), during=st.integers(0, 3), newest_first=st.booleans())
@hypothesis_settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_pages_have_no_gap_and_no_repeat_while_rows_are_added(
    desk: Desk, limit: int, before: int, during: int, newest_first: bool
) -> None:
    job, expected = desk.job(before)
    seen: list[int] = []
    cursor: int | None = None
    while True:
        with desk.database.begin() as session:
            mine = session.get_one(Job, job.id)
            page = queries.images(
                session, Filters(job_id=job.id), cursor=cursor, limit=limit, newest_first=newest_first
            )
            seen += [image.id for image in page.items]
            if cursor is None:
                factories.images(session, mine, during, prefix="late")
        cursor = page.next_cursor
        if cursor is None:
            break
    assert len(seen) == len(set(seen))
    assert set(expected) <= set(seen)
    assert seen == sorted(seen, reverse=newest_first)


def test_all_images_are_read_page_by_page(desk: Desk) -> None:
    _, made = desk.job(5)
    pages: list[list[int | None]] = []
    cursor: int | None = None
    while not pages or cursor is not None:
        with desk.database.read() as session:
            page = export.page(session, Filters(), cursor, newest_first=False, limit=2)
            pages.append([row.image_id for row in page.items])
        cursor = page.next_cursor
    assert pages == [made[:2], made[2:4], made[4:]]


def test_the_backlog_counts_what_waits_and_what_just_ended(desk: Desk) -> None:
    desk.job(4)
    first, second = desk.claim(2)
    desk.finish([first])
    desk.fail(second, transient=False)
    desk.claim(1)
    with desk.database.read() as session:
        at = now(session)
        seen = queries.backlog(session, at)
        later = queries.backlog(session, at + timedelta(hours=2))
    assert (seen.queued, seen.running, seen.done_last_hour, seen.failed_last_hour) == (1, 1, 1, 1)
    assert seen.oldest_queued_at == desk.images()[3].created_at
    assert (later.done_last_hour, later.failed_last_hour) == (0, 0)


def test_an_empty_backlog_has_no_oldest(desk: Desk) -> None:
    with desk.database.read() as session:
        assert queries.backlog(session, now(session)).oldest_queued_at is None


def claim(session: Session) -> None:
    claims.claim(session, worker="w", limit=5, lease_s=8, now=now(session))


def look(session: Session) -> None:
    claims.work_waits(session)


def reap(session: Session) -> None:
    claims.reap(session, max_attempts=3, now=now(session))


def sweep(session: Session) -> None:
    at = now(session)
    jobs.take_unpublished(session, older_than=at, limit=10, rung_before=None, now=at)


def oldest(session: Session) -> None:
    queries.backlog(session, now(session))


def progress_of_first(session: Session) -> None:
    queries.progress(session, session.get_one(Job, 1))


@pytest.mark.parametrize(
    ("action", "index"),
    [
        (look, "ix_images_waiting"),
        (claim, "ix_images_queued"),
        (sweep, "ix_images_unpublished"),
        (progress_of_first, "ix_images_progress"),
    ],
)
def test_what_is_asked_all_the_time_is_found_by_its_own_index(
    desk: Desk, action: Callable[[Session], None], index: str
) -> None:
    desk.job(3)
    assert index in plans(desk, action)


@pytest.mark.parametrize("action", [claim, sweep])
def test_a_few_ids_are_not_looked_for_among_all_queued_images(desk: Desk, action: Callable[[Session], None]) -> None:
    desk.job(3)
    assert "ix_images_state" not in plans(desk, action)


@pytest.mark.parametrize("action", [claim, sweep, reap, oldest])
def test_the_work_in_hand_is_found_without_reading_the_archive(desk: Desk, action: Callable[[Session], None]) -> None:
    desk.job(3)
    found_by = plans(desk, action)
    assert "ix_images_" in found_by
    assert "SCAN images" not in found_by
    assert "Seq Scan on images" not in found_by


def plans(desk: Desk, action: Callable[[Session], None]) -> str:
    """How the database runs the statements of `action`."""
    with desk.database.begin() as session:
        if session.get_bind().dialect.name == "postgresql":
            session.execute(text("SET LOCAL enable_seqscan = off"))  # three rows are quicker read one by one
        return "\n".join(explain(session, *statement) for statement in recorded(session, action))


def recorded(session: Session, action: Callable[[Session], None]) -> list[tuple[str, Any]]:
    """The statements on images that `action` sends, with their values."""
    statements: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, values: Any, _context: Any, _many: bool) -> None:
        if "images" in statement:
            statements.append((statement, values))

    connection = session.connection()
    event.listen(connection, "before_cursor_execute", note)
    action(session)
    event.remove(connection, "before_cursor_execute", note)
    return statements


def explain(session: Session, statement: str, values: Any) -> str:
    prefix = "EXPLAIN QUERY PLAN" if session.get_bind().dialect.name == "sqlite" else "EXPLAIN"
    return str(session.connection().exec_driver_sql(f"{prefix} {statement}", values).all())
