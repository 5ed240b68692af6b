"""Which images a worker gets."""

from __future__ import annotations

import threading

import pytest

from core.populations import Population
from db import claims
from db.session import now
from db.states import ImageState, Priority
from db.tables import Job
from tests.unit.db.conftest import LEASE_S, Desk


def ids(held: list[claims.Claim]) -> list[int]:
    return [claim.image_id for claim in held]


def test_a_claim_leases_the_image_to_the_worker(desk: Desk) -> None:
    _, (image_id,) = desk.job(1)
    (claim,) = desk.claim()
    (image,) = desk.images()
    assert claim == claims.Claim(image_id, 1, image.sha256)
    assert (image.state, image.worker, image.attempt) == (ImageState.RUNNING, "w1", 1)
    assert image.lease_expires_at is not None


def test_a_claim_tells_the_population_that_was_chosen_for_its_job(desk: Desk) -> None:
    job, (chosen,) = desk.job(1)
    _, (unknown,) = desk.job(1)
    with desk.database.begin() as session:
        session.get_one(Job, job.id).population = Population.CHILD
    assert [(claim.image_id, claim.population) for claim in desk.claim()] == [(chosen, "child"), (unknown, None)]


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
            claimed = ids(desk.claim(3, worker=name))
            if not claimed and "queued" not in desk.states():
                return
            taken.extend(claimed)

    threads = [threading.Thread(target=work, args=[f"w{number}"]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == queued
    assert {image.attempt for image in desk.images()} == {1}


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
