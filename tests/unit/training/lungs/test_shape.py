"""What may be a lung, and which two may be a pair."""

from __future__ import annotations

import numpy as np
import pytest

from tests.unit.training.lungs.chests import chest
from training.lungs import shape
from training.lungs.shape import Place


def half(mask: np.ndarray[tuple[int, ...], np.dtype[np.bool_]], *, right: bool) -> shape.Mask:
    chosen = mask.copy()
    chosen[:, : mask.shape[1] // 2] &= not right
    chosen[:, mask.shape[1] // 2 :] &= right
    return chosen


def test_a_box_is_in_shares_of_the_film() -> None:
    mask = np.zeros((10, 20), np.bool_)
    mask[2:7, 4:8] = True
    box = shape.place(mask)
    assert (box.top, box.bottom, box.left, box.right) == pytest.approx((0.2, 0.7, 0.2, 0.4))
    assert (box.height, box.width) == pytest.approx((0.5, 0.2))


@pytest.mark.parametrize("right", [False, True])
def test_a_lung_is_more_like_a_lung_than_its_box_is(right: bool) -> None:
    lung = half(chest()[1], right=right)
    box = shape.place(lung)
    filled = np.zeros_like(lung)
    rows, columns = np.flatnonzero(lung.any(1)), np.flatnonzero(lung.any(0))
    filled[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = True
    assert shape.likeness(lung, box, on_right=right) > shape.likeness(filled, box, on_right=right) + 0.03


def test_sizes_of_lungs() -> None:
    assert Place(0.1, 0.2, 0.8, 0.45).is_plausible
    assert not Place(0.1, 0.2, 0.3, 0.45).is_plausible
    assert not Place(0.1, 0.05, 0.8, 0.95).is_plausible


def test_two_lungs_lie_side_by_side() -> None:
    left, right = Place(0.1, 0.15, 0.8, 0.42), Place(0.12, 0.55, 0.78, 0.85)
    assert shape.are_pair(left, right)
    assert not shape.are_pair(right, left)
    assert not shape.are_pair(left, Place(0.4, 0.55, 0.98, 0.85))  # far below
    assert not shape.are_pair(left, Place(0.12, 0.55, 0.5, 0.85))  # half as high
