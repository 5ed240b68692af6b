"""The soak's arithmetic, and a very short one."""

from __future__ import annotations

import pytest

from db.states import ImageState
from tests.faults.profile import SHORT
from tests.faults.soak import Tally, run, tally
from tests.faults.stack import Kind

DONE, FAILED, QUEUED = ImageState.DONE, ImageState.FAILED, ImageState.QUEUED


def test_the_invariant_holds_if_each_image_ended_once_and_can_be_read() -> None:
    counted = tally({1, 2, 3}, {1: DONE, 2: DONE, 3: FAILED}, {1: 1, 2: 1}, [1, 2, 3])
    assert counted == Tally(accepted=3, done=2, failed=1, lost=0, twice=0, unread=0)
    assert counted.invariant_held


@pytest.mark.parametrize(
    ("states", "predictions", "listed", "expected"),
    [
        ({1: DONE}, {1: 1}, [1], Tally(accepted=2, done=1, failed=0, lost=1, twice=0, unread=0)),
        ({1: DONE, 2: QUEUED}, {1: 1}, [1], Tally(accepted=2, done=1, failed=0, lost=1, twice=0, unread=0)),
        ({1: DONE, 2: DONE}, {1: 1, 2: 2}, [1, 2], Tally(accepted=2, done=2, failed=0, lost=0, twice=1, unread=0)),
        ({1: DONE, 2: DONE}, {1: 1, 2: 1}, [1], Tally(accepted=2, done=2, failed=0, lost=0, twice=0, unread=1)),
    ],
    ids=["no row", "no end", "two predictions", "not in the results"],
)
def test_whatever_is_missing_or_there_twice_breaks_the_promise(
    states: dict[int, ImageState], predictions: dict[int, int], listed: list[int], expected: Tally
) -> None:
    counted = tally({1, 2}, states, predictions, listed)
    assert counted == expected
    assert not counted.invariant_held


def test_images_that_nobody_accepted_count_for_nothing() -> None:
    counted = tally({1}, {1: DONE, 9: QUEUED}, {1: 1, 9: 3}, [1])
    assert counted == Tally(accepted=1, done=1, failed=0, lost=0, twice=0, unread=0)


@pytest.mark.e2e
@pytest.mark.timeout(400)
def test_a_short_soak_loses_nothing_and_says_how_far_it_is() -> None:
    said: list[str] = []
    counted = run(Kind("sqlite", SHORT, small_disk=False), 20, 5, seed=7, say=said.append)
    assert counted.invariant_held, said
    assert counted.accepted > 0
    assert counted.done + counted.failed == counted.accepted
    assert "kills" in said[-1]
    assert any("killed:" in line for line in said)
