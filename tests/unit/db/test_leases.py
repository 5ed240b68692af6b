"""Leases that run out, are renewed, or are given back."""

from __future__ import annotations

from datetime import timedelta

from db import claims, leases
from db.session import now
from tests.unit.db.conftest import LEASE_S, Desk


def ids(held: list[claims.Claim]) -> list[int]:
    return [claim.image_id for claim in held]


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


def test_renewing_extends_the_leases_of_one_worker(desk: Desk) -> None:
    desk.job(2)
    held = desk.claim(1, worker="w1") + desk.claim(1, worker="w2")
    with desk.database.begin() as session:
        later = now(session) + timedelta(seconds=LEASE_S)
        leases.renew(session, worker="w1", image_ids=ids(held), lease_s=LEASE_S, now=later)
    assert desk.requeue_expired() == (1, 0)
    assert desk.states() == ["running", "queued"]


def test_an_image_that_the_worker_no_longer_holds_is_not_renewed(desk: Desk) -> None:
    desk.job(2)
    first, _ = desk.claim()
    with desk.database.begin() as session:
        later = now(session) + timedelta(seconds=LEASE_S)
        leases.renew(session, worker="w1", image_ids=[first.image_id], lease_s=LEASE_S, now=later)
    assert desk.requeue_expired() == (1, 0)
    assert desk.states() == ["running", "queued"]


def test_a_worker_that_shuts_down_releases_what_it_has_not_tried(desk: Desk) -> None:
    desk.job(3)
    desk.claim(2, worker="w1")
    desk.claim(1, worker="w2")
    assert desk.release("w1") == 2
    assert desk.states() == ["queued", "queued", "running"]
    assert [image.attempt for image in desk.images()] == [0, 0, 1]
