"""The statements that run all the time, and the indexes that answer them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy.orm import Session

from db import backlog, claims, jobs, leases
from db.progress import progress_of
from db.session import now
from db.tables import Job
from tests.unit.db.conftest import Desk
from tests.unit.db.plans import plans


def claim(session: Session) -> None:
    claims.claim(session, worker="w", limit=5, lease_s=8, now=now(session))


def idle_check(session: Session) -> None:
    claims.work_waits(session)


def requeue_expired(session: Session) -> None:
    leases.requeue_expired(session, max_attempts=3, now=now(session))


def sweep(session: Session) -> None:
    at = now(session)
    jobs.take_unpublished(session, older_than=at, limit=10, published_before=None, now=at)


def oldest(session: Session) -> None:
    backlog.read(session, now(session))


def progress_of_first(session: Session) -> None:
    progress_of(session, session.get_one(Job, 1))


@pytest.mark.parametrize(
    ("action", "index"),
    [
        (idle_check, "ix_images_waiting"),
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


@pytest.mark.parametrize("action", [claim, sweep, requeue_expired, oldest])
def test_the_work_in_hand_is_found_without_reading_the_archive(desk: Desk, action: Callable[[Session], None]) -> None:
    desk.job(3)
    found_by = plans(desk, action)
    assert "ix_images_" in found_by
    assert "SCAN images" not in found_by
    assert "Seq Scan on images" not in found_by
