"""How far a job is."""

from __future__ import annotations

from sqlalchemy import text

from db.progress import Progress, progress_of
from db.states import Decision, JobState
from db.tables import Job
from tests.unit.db.conftest import Desk


def progress(desk: Desk, job: Job) -> Progress:
    with desk.database.read() as session:
        return progress_of(session, session.get_one(Job, job.id))


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
