"""One archive does not starve the rest: the places of a batch are shared between the users whose images wait."""

from __future__ import annotations

from collections import Counter

import pytest
from sqlalchemy import text

from db.claims import fair_shares
from db.states import Priority
from tests.unit.db.conftest import Desk


def owners(desk: Desk, limit: int) -> list[int]:
    """How many places of one claim each user got, most first."""
    held = {claim.image_id for claim in desk.claim(limit)}
    return sorted(Counter(image.user_id for image in desk.images() if image.id in held).values(), reverse=True)


@pytest.mark.parametrize(
    ("waiting", "limit", "shares"),
    [
        ([(1, 16)], 16, {1: 16}),
        ([(1, 16), (2, 16)], 16, {1: 8, 2: 8}),
        ([(1, 16), (2, 1), (3, 16)], 9, {1: 4, 2: 1, 3: 4}),
        ([(1, 2), (2, 1)], 16, {1: 2, 2: 1}),
        ([], 16, {}),
    ],
)
def test_places_are_dealt_out_in_turn(waiting: list[tuple[int, int]], limit: int, shares: dict[int, int]) -> None:
    assert fair_shares(waiting, limit) == shares


def test_with_more_users_than_places_each_has_its_turn_in_time() -> None:
    waiting = [(user, 1) for user in range(20)]
    served = Counter(user for _ in range(200) for user in fair_shares(waiting, 4))
    assert sum(served.values()) == 800
    assert set(served) == set(range(20))


def test_a_user_with_an_archive_leaves_half_of_a_batch_to_another(desk: Desk) -> None:
    _, archive = desk.job(50)
    _, few = desk.job(10, owner=desk.others[0])
    assert sorted(claim.image_id for claim in desk.claim(8)) == archive[:4] + few[:4]
    assert owners(desk, 8) == [4, 4]


def test_what_the_others_do_not_need_goes_to_the_archive(desk: Desk) -> None:
    desk.job(50)
    desk.job(1, owner=desk.others[0])
    desk.job(2, owner=desk.others[1])
    assert owners(desk, 8) == [5, 2, 1]
    assert owners(desk, 8) == [8]


def test_many_jobs_of_one_user_are_no_more_than_one(desk: Desk) -> None:
    for _ in range(5):
        desk.job(10)
    desk.job(10, owner=desk.others[0])
    assert owners(desk, 8) == [4, 4]


def test_priority_goes_before_fairness(desk: Desk) -> None:
    desk.job(50)
    _, urgent = desk.job(6, Priority.INTERACTIVE, owner=desk.others[0])
    assert sorted(claim.image_id for claim in desk.claim(8))[-6:] == urgent


def test_rows_without_a_user_are_claimed_too(desk: Desk) -> None:
    """The release of before does not write the column."""
    _, old = desk.job(3)
    with desk.database.begin() as session:
        session.execute(text("UPDATE images SET user_id = NULL"))
    _, new = desk.job(1, owner=desk.others[0])
    assert sorted(claim.image_id for claim in desk.claim(8)) == old + new
