"""Lung fields of drawn chests; none where there are none, or where one of them is white."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from tests.unit.training.lungs.chests import RIGHT, chest
from training.lungs import classical
from training.lungs.shape import Mask


def overlap(one: Mask, other: Mask) -> float:
    return float(2 * (one & other).sum() / (one.sum() + other.sum()))


@pytest.mark.parametrize("seed", range(3))
def test_finds_both_lungs(seed: int) -> None:
    pixels, mask = chest(seed)
    lungs = classical.find(pixels)
    assert lungs is not None
    small = np.asarray(Image.fromarray(mask).resize((classical.SIDE_PX, classical.SIDE_PX)))
    assert overlap(lungs.mask, small) > 0.85
    assert lungs.likeness > 0.83
    assert lungs.edge > 0.88


def test_exposure_changes_nothing() -> None:
    pixels, _ = chest()
    brighter = (255 * (pixels / 255) ** 0.6).astype(np.uint8)
    one, other = classical.find(pixels), classical.find(brighter)
    assert one is not None
    assert other is not None
    assert overlap(one.mask, other.mask) > 0.98


def test_a_body_without_lungs_has_none() -> None:
    assert classical.find(chest(lungs=False)[0]) is None


def test_a_film_on_which_one_lung_is_white_has_none() -> None:
    pixels = chest()[0].copy()
    pixels[30:200, min(x for x, _ in RIGHT) - 10 : 205] = 170
    assert classical.find(pixels) is None


@pytest.mark.parametrize("value", [0, 128, 255])
def test_a_uniform_picture_has_none(value: int) -> None:
    assert classical.find(np.full((224, 224), value, np.uint8)) is None


def test_equalised_gray_is_the_share_that_is_darker() -> None:
    pixels = np.zeros((224, 224), np.uint8)
    pixels[:, 112:] = 200
    gray = classical.equalised(pixels)
    assert gray.shape == (classical.SIDE_PX, classical.SIDE_PX)
    assert (gray[:, 0] == 0.25).all()
    assert (gray[:, -1] == 0.75).all()
