"""Cancelling and retrying jobs."""

from __future__ import annotations

from db import jobs
from db.progress import count_beyond_retry
from db.session import now
from tests.unit.db.conftest import Desk


def test_cancelling_takes_what_is_queued_and_leaves_what_is_held(desk: Desk) -> None:
    job, _ = desk.job(3)
    held = desk.claim(1)
    assert desk.cancel(job) == 2
    assert desk.finish(held) == 1
    assert desk.states() == ["done", "cancelled", "cancelled"]


def test_a_cancelled_image_is_never_claimed(desk: Desk) -> None:
    job, _ = desk.job(1)
    desk.cancel(job)
    assert desk.claim() == []


def test_cancelling_twice_keeps_the_first_time(desk: Desk) -> None:
    job, _ = desk.job(1)
    with desk.database.begin() as session:
        mine = session.get_one(type(job), job.id)
        jobs.cancel(session, mine, now(session))
        first = mine.cancelled_at
        assert jobs.cancel(session, mine, now(session)) == 0
        assert mine.cancelled_at == first


def test_a_retry_queues_what_failed_or_was_cancelled_with_all_attempts(desk: Desk) -> None:
    job, queued = desk.job(4)
    done, failed = desk.claim(2)
    desk.finish([done])
    desk.fail(failed, transient=False, code="model_invalid")
    desk.cancel(job)
    assert desk.retry(job) == queued[1:]
    assert desk.states() == ["done", "queued", "queued", "queued"]
    again = desk.images()[1]
    assert (again.attempt, again.error_code, again.finished_at, again.published_at) == (0, None, None, None)


def test_a_retry_leaves_what_it_cannot_help(desk: Desk) -> None:
    job, queued = desk.job(3)
    for claim, code in zip(desk.claim(2), ("corrupt_image", "attempts_exhausted"), strict=True):
        desk.fail(claim, transient=False, code=code)
    desk.cancel(job)
    with desk.database.read() as session:
        assert count_beyond_retry(session, job) == 1
    assert desk.retry(job) == queued[1:]
    assert desk.states() == ["failed", "queued", "queued"]
    assert desk.images()[0].error_code == "corrupt_image"


def test_a_retried_job_is_no_longer_cancelled(desk: Desk) -> None:
    job, _ = desk.job(1)
    desk.cancel(job)
    desk.retry(job)
    with desk.database.read() as session:
        assert session.get_one(type(job), job.id).cancelled_at is None


def test_cancel_and_retry_leave_other_jobs_alone(desk: Desk) -> None:
    mine, _ = desk.job(1)
    desk.job(1)
    desk.cancel(mine)
    assert desk.states() == ["cancelled", "queued"]
    desk.retry(mine)
    assert desk.states() == ["queued", "queued"]
