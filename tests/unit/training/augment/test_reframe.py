"""Copies that are turned or cropped."""

from __future__ import annotations

import numpy as np

from training.augment.reframe import reframe

WHITE = np.full((40, 96, 80), 255, dtype=np.uint8)
RAMP = np.tile(np.linspace(0, 255, 80).astype(np.uint8), (40, 96, 1))


def test_about_half_are_turned_with_black_corners_and_the_others_lose_their_margins() -> None:
    turned = (reframe(WHITE, 0)[:, 0, 0] == 0) | (reframe(WHITE, 0)[:, 0, -1] == 0)
    assert 10 < turned.sum() < 30
    cropped = reframe(RAMP, 0)[~turned]
    assert (cropped[:, 48, 0] >= 8).all()
    assert (cropped[:, 48, -1] <= 247).all()


def test_copies_have_the_size_of_the_images_and_depend_on_the_seed_alone() -> None:
    copies = reframe(RAMP, 3)
    assert (copies.shape, copies.dtype) == (RAMP.shape, RAMP.dtype)
    assert np.array_equal(copies, reframe(RAMP, 3))
    assert not np.array_equal(copies, reframe(RAMP, 4))


def test_no_images_give_no_copies() -> None:
    assert reframe(RAMP[:0], 0).shape == (0, 96, 80)
