"""Leases: who may work on an image, who may finish it, and what becomes of it when nobody does."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from sqlalchemy import update

from db import claims, jobs
from db.claims import Scored
from db.progress import count_beyond_retry
from db.session import now
from db.states import Decision, ImageState, Priority
from db.tables import Image, Job
from tests.testing import factories
from tests.testing.fakes import FAKE_SHA256
from tests.unit.db.conftest import LEASE_S, MAX_ATTEMPTS, Desk


def ids(held: list[claims.Claim]) -> list[int]:
    return [claim.image_id for claim in held]


def test_a_claim_leases_the_image_to_the_worker(desk: Desk) -> None:
    _, (image_id,) = desk.job(1)
    (claim,) = desk.claim()
    (image,) = desk.images()
    assert claim == claims.Claim(image_id, 1, image.sha256)
    assert (image.state, image.worker, image.attempt) == (ImageState.RUNNING, "w1", 1)
    assert image.lease_expires_at is not None


def test_what_is_claimed_is_not_claimed_again(desk: Desk) -> None:
    _, queued = desk.job(2)
    assert ids(desk.claim()) == queued
    assert desk.claim(worker="w2") == []


def test_interactive_images_come_first_and_then_the_oldest(desk: Desk) -> None:
    _, bulk = desk.job(3)
    _, interactive = desk.job(2, Priority.INTERACTIVE)
    assert ids(desk.claim(4)) == [*interactive, *bulk[:2]]
    assert ids(desk.claim(4)) == [bulk[2]]


def test_a_claim_takes_no_more_than_its_limit(desk: Desk) -> None:
    _, queued = desk.job(5)
    assert ids(desk.claim(3)) == queued[:3]
    assert desk.states() == ["running"] * 3 + ["queued"] * 2


def test_what_another_worker_is_claiming_is_passed_over_and_not_waited_for(desk: Desk) -> None:
    _, queued = desk.job(4)
    if desk.database.engine.dialect.name == "sqlite":
        pytest.skip("SQLite has one writer at a time")
    with desk.database.begin() as session:
        claims.claim(session, worker="w1", limit=2, lease_s=LEASE_S, now=now(session))
        assert ids(desk.claim(4, worker="w2")) == queued[2:]


def test_eight_workers_at_once_never_share_an_image(desk: Desk) -> None:
    _, queued = desk.job(80)
    together = threading.Barrier(8)
    taken: list[int] = []

    def work(name: str) -> None:
        together.wait()
        while len(taken) < 80:
            found = ids(desk.claim(3, worker=name))
            if not found and "queued" not in desk.states():
                return
            taken.extend(found)

    threads = [threading.Thread(target=work, args=[f"w{number}"]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == queued
    assert {image.attempt for image in desk.images()} == {1}


def test_finishing_writes_the_prediction_and_the_state_together(desk: Desk) -> None:
    desk.job(1)
    assert desk.finish(desk.claim(), probability=0.7) == 1
    (image,), (prediction,) = desk.images(), desk.predictions()
    assert (image.state, image.lease_expires_at) == (ImageState.DONE, None)
    assert image.finished_at == prediction.created_at
    assert (prediction.image_id, prediction.probability) == (image.id, 0.7)
    assert (prediction.model_sha256, prediction.threshold) == (FAKE_SHA256, 0.5)
    assert prediction.decision is Decision.PNEUMONIA


def test_finishing_twice_changes_nothing(desk: Desk) -> None:
    desk.job(1)
    held = desk.claim()
    desk.finish(held, probability=0.7)
    assert desk.finish(held, probability=0.1) == 0
    assert [prediction.probability for prediction in desk.predictions()] == [0.7]


def test_finishing_nothing_is_no_error(desk: Desk) -> None:
    assert desk.finish([]) == 0


def test_another_worker_cannot_finish_it(desk: Desk) -> None:
    desk.job(1)
    assert desk.finish(desk.claim(), worker="w2") == 0
    assert desk.states() == ["running"]


def test_a_worker_whose_lease_expired_is_fenced_out_after_the_next_claim(desk: Desk) -> None:
    desk.job(1)
    late = desk.claim(worker="w1")
    assert desk.requeue_expired() == (1, 0)
    current = desk.claim(worker="w1")  # even under its own name
    assert desk.finish(late, probability=0.1) == 0
    assert desk.finish(current, probability=0.9) == 1
    assert [prediction.probability for prediction in desk.predictions()] == [0.9]


def test_a_late_failure_is_fenced_out_too(desk: Desk) -> None:
    desk.job(1)
    (late,) = desk.claim()
    desk.requeue_expired()
    desk.claim(worker="w2")
    desk.fail(late, transient=False)
    assert desk.states() == ["running"]


def test_of_a_batch_only_what_is_still_leased_is_finished(desk: Desk) -> None:
    _, queued = desk.job(3)
    held = desk.claim()
    desk.fail(held[1], transient=False)
    assert desk.finish(held) == 2
    assert [prediction.image_id for prediction in desk.predictions()] == [queued[0], queued[2]]


def test_a_permanent_failure_ends_the_image_with_its_reason(desk: Desk) -> None:
    desk.job(1)
    desk.fail(desk.claim()[0], transient=False)
    (image,) = desk.images()
    assert (image.state, image.error_code, image.error_message) == ("failed", "corrupt_image", "It is damaged.")
    assert image.finished_at is not None


def test_a_transient_failure_queues_the_image_until_its_attempts_are_used_up(desk: Desk) -> None:
    desk.job(1)
    seen: list[tuple[str, int]] = []
    for _ in range(MAX_ATTEMPTS):
        desk.fail(desk.claim()[0], transient=True)
        (image,) = desk.images()
        seen.append((image.state, image.attempt))
    assert seen == [("queued", 1), ("queued", 2), ("failed", 3)]


def test_an_image_queued_again_is_to_be_rung_for(desk: Desk) -> None:
    _, queued = desk.job(1)
    desk.publish(queued)
    desk.fail(desk.claim()[0], transient=True)
    assert desk.images()[0].published_at is None


def test_a_success_after_a_failure_forgets_the_failure(desk: Desk) -> None:
    desk.job(1)
    desk.fail(desk.claim()[0], transient=True)
    desk.finish(desk.claim())
    (image,) = desk.images()
    assert (image.state, image.error_code, image.error_message) == ("done", None, None)


def test_a_long_sentence_is_cut_to_its_column(desk: Desk) -> None:
    desk.job(1)
    (claim,) = desk.claim()
    with desk.database.begin() as session:
        failed = claims.Failed(claim, "x", "é" * 600, transient=False)
        claims.fail(session, failed, worker="w1", max_attempts=3, now=now(session))
    assert desk.images()[0].error_message == "é" * 500


def test_an_expired_lease_is_taken_back(desk: Desk) -> None:
    desk.job(2)
    desk.claim(1, lease_s=5)
    desk.claim(1, lease_s=100)
    assert desk.requeue_expired(after_s=50) == (1, 0)
    assert desk.states() == ["queued", "running"]


def test_a_lease_in_force_is_left_alone(desk: Desk) -> None:
    desk.job(1)
    desk.claim()
    assert desk.requeue_expired(after_s=LEASE_S - 1) == (0, 0)


def test_renewing_pushes_out_the_leases_of_one_worker(desk: Desk) -> None:
    desk.job(2)
    held = desk.claim(1, worker="w1") + desk.claim(1, worker="w2")
    with desk.database.begin() as session:
        later = now(session) + timedelta(seconds=LEASE_S)
        claims.renew(session, worker="w1", image_ids=ids(held), lease_s=LEASE_S, now=later)
    assert desk.requeue_expired() == (1, 0)
    assert desk.states() == ["running", "queued"]


def test_an_image_that_the_worker_no_longer_has_in_hand_is_not_renewed(desk: Desk) -> None:
    desk.job(2)
    first, _ = desk.claim()
    with desk.database.begin() as session:
        later = now(session) + timedelta(seconds=LEASE_S)
        claims.renew(session, worker="w1", image_ids=[first.image_id], lease_s=LEASE_S, now=later)
    assert desk.requeue_expired() == (1, 0)
    assert desk.states() == ["running", "queued"]


def test_a_worker_that_shuts_down_hands_back_what_it_holds_untried(desk: Desk) -> None:
    desk.job(3)
    desk.claim(2, worker="w1")
    desk.claim(1, worker="w2")
    assert desk.release("w1") == 2
    assert desk.states() == ["queued", "queued", "running"]
    assert [image.attempt for image in desk.images()] == [0, 0, 1]


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


def test_what_was_never_rung_for_is_taken_once_interactive_first(desk: Desk) -> None:
    _, bulk = desk.job(2)
    _, interactive = desk.job(1, Priority.INTERACTIVE)
    assert desk.unpublished() == [(interactive[0], "interactive"), (bulk[0], "bulk"), (bulk[1], "bulk")]
    assert desk.unpublished() == []


def test_no_more_than_the_limit_is_rung_for_at_once(desk: Desk) -> None:
    _, bulk = desk.job(3)
    _, interactive = desk.job(1, Priority.INTERACTIVE)
    assert [image_id for image_id, _ in desk.unpublished(limit=2)] == [interactive[0], bulk[0]]


def test_a_row_younger_than_the_grace_is_left_to_who_queued_it(desk: Desk) -> None:
    desk.job(1)
    assert desk.unpublished(age_s=60) == []


def test_a_doorbell_that_rang_is_not_rung_again_unless_it_may_be_lost(desk: Desk) -> None:
    _, queued = desk.job(1)
    desk.publish(queued)
    assert desk.unpublished() == []
    assert desk.unpublished(published_s=60) == []
    assert desk.unpublished(published_s=0) == [(queued[0], "bulk")]


def test_what_is_held_or_over_is_not_rung_for(desk: Desk) -> None:
    desk.job(2)
    desk.finish(desk.claim(1))
    desk.claim(1)
    assert desk.unpublished(published_s=0) == []


def test_a_doorbell_that_could_not_be_rung_is_left_to_the_next_sweep(desk: Desk) -> None:
    _, queued = desk.job(1)
    desk.unpublished()
    with desk.database.begin() as session:
        jobs.unpublish(session, queued)
    assert desk.unpublished() == [(queued[0], "bulk")]


def test_an_image_claimed_meanwhile_keeps_its_stamp(desk: Desk) -> None:
    _, queued = desk.job(1)
    desk.publish(queued)
    desk.claim()
    with desk.database.begin() as session:
        jobs.unpublish(session, queued)
    assert desk.images()[0].published_at is not None


def test_work_waits_as_long_as_an_image_is_queued(desk: Desk) -> None:
    def waits() -> bool:
        with desk.database.read() as session:
            return claims.work_waits(session)

    assert not waits()
    desk.job(2)
    assert waits()
    desk.finish(desk.claim(1))
    assert waits()
    desk.claim(1)
    assert not waits()


def test_an_image_names_the_prediction_that_finished_it(desk: Desk) -> None:
    desk.job(3)
    desk.finish(desk.claim())
    named = {image.id: image.primary_prediction_id for image in desk.images()}
    assert named == {prediction.image_id: prediction.id for prediction in desk.predictions()}
    assert [image.decision for image in desk.images()] == ["pneumonia"] * 3


def test_a_lost_lease_names_nothing(desk: Desk) -> None:
    desk.job(2)
    held = desk.claim()
    desk.fail(held[1], transient=False)
    assert desk.finish(held) == 1
    assert [image.primary_prediction_id is None for image in desk.images()] == [False, True]


def test_a_retry_keeps_the_primary_prediction_until_there_is_a_new_one(desk: Desk) -> None:
    """Only an image without one can be retried today; should that change, the page goes on showing what it has."""
    job, _ = desk.job(1)
    desk.finish(desk.claim())
    (before,) = (image.primary_prediction_id for image in desk.images())
    with desk.database.begin() as session:
        factories.model(session, "e" * 64, "another")
        session.execute(update(Image).values(state=ImageState.FAILED))
        jobs.retry(session, session.get_one(Job, job.id))
    assert [image.primary_prediction_id for image in desk.images()] == [before]
    with desk.database.begin() as session:
        at = now(session)
        held = claims.claim(session, worker="w1", limit=1, lease_s=60, now=at)
        scored = [Scored(claim, 0.2, Decision.NORMAL) for claim in held]
        claims.finish(session, scored, model_sha256="e" * 64, threshold=0.5, worker="w1", now=at)
    (image,) = desk.images()
    assert image.primary_prediction_id == max(prediction.id for prediction in desk.predictions()) != before
    assert image.decision == "normal"
