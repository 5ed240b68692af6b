"""Which queued images are to be published."""

from __future__ import annotations

from db import jobs
from db.states import Priority
from tests.unit.db.conftest import Desk


def test_what_was_never_published_is_taken_once_interactive_first(desk: Desk) -> None:
    _, bulk = desk.job(2)
    _, interactive = desk.job(1, Priority.INTERACTIVE)
    assert desk.unpublished() == [(interactive[0], "interactive"), (bulk[0], "bulk"), (bulk[1], "bulk")]
    assert desk.unpublished() == []


def test_no_more_than_the_limit_is_published_at_once(desk: Desk) -> None:
    _, bulk = desk.job(3)
    _, interactive = desk.job(1, Priority.INTERACTIVE)
    assert [image_id for image_id, _ in desk.unpublished(limit=2)] == [interactive[0], bulk[0]]


def test_a_row_younger_than_the_grace_is_left_to_who_queued_it(desk: Desk) -> None:
    desk.job(1)
    assert desk.unpublished(age_s=60) == []


def test_a_published_image_is_not_published_again_unless_its_message_may_be_lost(desk: Desk) -> None:
    _, queued = desk.job(1)
    desk.publish(queued)
    assert desk.unpublished() == []
    assert desk.unpublished(published_s=60) == []
    assert desk.unpublished(published_s=0) == [(queued[0], "bulk")]


def test_what_is_held_or_over_is_not_published(desk: Desk) -> None:
    desk.job(2)
    desk.finish(desk.claim(1))
    desk.claim(1)
    assert desk.unpublished(published_s=0) == []


def test_an_image_that_could_not_be_published_is_left_to_the_next_sweep(desk: Desk) -> None:
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
