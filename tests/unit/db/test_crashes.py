"""What comes back from a lease that ran out is tried alone, so that one image fails for what it did, and no other."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from db import claims, leases
from db.claims import Claim
from db.session import now
from db.states import Priority
from tests.unit.db.conftest import MAX_ATTEMPTS, Desk


def ids(held: list[Claim]) -> list[int]:
    return [claim.image_id for claim in held]


def test_after_a_crash_each_image_of_the_batch_is_claimed_alone(desk: Desk) -> None:
    _, queued = desk.job(3)
    desk.claim()
    desk.requeue_expired()
    seen: list[int] = []
    for _ in queued:
        (claim,) = desk.claim()
        assert (claim.attempt, claim.crashes) == (2, 1)
        desk.finish([claim])
        seen.append(claim.image_id)
    assert seen == queued
    assert desk.states() == ["done"] * 3


def test_suspects_go_before_the_others_of_their_priority_but_after_what_is_urgent(desk: Desk) -> None:
    _, suspects = desk.job(2)
    desk.claim()
    desk.requeue_expired()
    _, bulk = desk.job(2)
    _, interactive = desk.job(2, Priority.INTERACTIVE)
    assert [ids(desk.claim()) for _ in range(4)] == [interactive, suspects[:1], suspects[1:], bulk]


def test_a_batch_of_urgent_images_is_not_topped_up_past_a_suspect(desk: Desk) -> None:
    desk.job(1)
    desk.claim()
    desk.requeue_expired()
    desk.job(2)
    _, interactive = desk.job(1, Priority.INTERACTIVE)
    assert ids(desk.claim()) == interactive


def test_a_worker_with_images_in_hand_gets_no_suspect_and_nothing_in_its_stead(desk: Desk) -> None:
    _, suspects = desk.job(1)
    desk.claim()
    desk.requeue_expired()
    desk.job(2)
    assert desk.claim(alone=False) == []
    assert ids(desk.claim(alone=True)) == suspects


def test_a_suspect_that_another_worker_is_claiming_does_not_keep_the_others_waiting(desk: Desk) -> None:
    if desk.database.engine.dialect.name == "sqlite":
        pytest.skip("SQLite has one writer at a time")
    desk.job(1)
    desk.claim()
    desk.requeue_expired()
    _, bulk = desk.job(2)
    with desk.database.begin() as session:
        claims.claim(session, worker="w1", limit=2, lease_s=9, now=now(session))
        assert ids(desk.claim(worker="w2")) == bulk


def test_the_poison_fails_and_its_mates_do_not_even_of_a_batch_that_crashes_again_and_again(desk: Desk) -> None:
    _, queued = desk.job(4)
    poison = queued[1]
    desk.claim()
    results = [desk.requeue_expired()]
    while held := desk.claim():
        if poison in ids(held):
            results.append(desk.requeue_expired())
        else:
            desk.finish(held)
    image = desk.images()[1]
    assert results == [(4, 0), (1, 0), (0, 1)]
    assert desk.states() == ["done", "failed", "done", "done"]
    assert (image.error_code, image.crashes) == ("attempts_exhausted", MAX_ATTEMPTS)
    assert (
        image.error_message == "The worker stopped answering 3 times while it held this image, 2 times with no other."
    )
    assert image.finished_at is not None


def test_a_worker_killed_again_and_again_counts_against_one_image_after_the_other(desk: Desk) -> None:
    _, queued = desk.job(4)
    desk.claim()
    desk.requeue_expired()
    hit = []
    for _ in queued:
        hit += ids(desk.claim())
        desk.requeue_expired()
    assert hit == queued
    assert {image.crashes for image in desk.images()} == {2}


def test_a_batch_is_failed_by_no_crash_however_few_attempts_there_are(desk: Desk) -> None:
    desk.job(2)
    for expected in [(2, 0), (0, 1)]:
        desk.claim()
        with desk.database.begin() as session:
            session.execute(text("UPDATE images SET lease_expires_at = '2000-01-01' WHERE state = 'running'"))
            requeued, failed = leases.requeue_expired(session, max_attempts=1, now=now(session))
        assert (len(requeued), len(failed)) == expected
    assert desk.states() == ["failed", "queued"]


def test_transient_errors_and_crashes_are_counted_apart(desk: Desk) -> None:
    desk.job(1)
    for _ in range(MAX_ATTEMPTS - 1):
        desk.claim()
        desk.requeue_expired()
    for _ in range(MAX_ATTEMPTS):
        assert desk.states() == ["queued"]
        desk.fail(desk.claim()[0], transient=True)
    (image,) = desk.images()
    assert (image.state, image.error_code) == ("failed", "storage_unavailable")


def test_a_transient_error_makes_no_suspect(desk: Desk) -> None:
    _, queued = desk.job(2)
    for claim in desk.claim():
        desk.fail(claim, transient=True)
    assert ids(desk.claim()) == queued


def test_a_worker_that_shuts_down_makes_no_suspect(desk: Desk) -> None:
    _, queued = desk.job(2)
    desk.claim()
    desk.release()
    assert ids(desk.claim()) == queued


def test_a_retried_poison_stays_a_suspect(desk: Desk) -> None:
    job, (poison,) = desk.job(1)
    for _ in range(MAX_ATTEMPTS):
        desk.claim()
        desk.requeue_expired()
    desk.retry(job)
    _, others = desk.job(2)
    assert [ids(desk.claim()), ids(desk.claim())] == [[poison], others]
    assert desk.requeue_expired() == (3, 0)
