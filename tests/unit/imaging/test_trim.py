"""A uniform border is cut off before the resize; black edges as training images have them are not."""

from __future__ import annotations

import numpy as np
import pytest

from imaging import preprocess, trim
from tests.unit.model.factories import encode

PICTURE = np.random.default_rng(0).integers(20, 200, (400, 500)).astype(np.uint8)


def bordered(level: int, px: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.pad(PICTURE, px, constant_values=level)


@pytest.mark.parametrize(("level", "px"), [(255, 3), (255, 50), (128, 70), (0, 80)])
def test_a_uniform_border_is_cut_off(level: int, px: int) -> None:
    prepared = preprocess.prepare(encode(bordered(level, px)))
    box = prepared.box
    assert (box.left, box.top, box.right, box.bottom) == (px, px, px + 500, px + 400)
    assert np.array_equal(prepared.pixels, preprocess.preprocess(PICTURE))


def test_a_border_of_one_side_is_cut_off_there() -> None:
    box = trim.find(np.pad(PICTURE, ((0, 30), (0, 0)), constant_values=255))
    assert (box.left, box.top, box.right, box.bottom, box.height_px) == (0, 0, 500, 400, 430)


@pytest.mark.parametrize("gray", [PICTURE, bordered(0, 20), np.zeros((300, 300), np.uint8), bordered(255, 900)])
def test_what_is_no_border_stays(gray: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> None:
    assert trim.find(gray).is_whole


def test_a_small_picture_is_told() -> None:
    assert preprocess.prepare(encode(PICTURE[:120, :150])).notes == (
        "Small picture (150 x 120 px): the result is less reliable.",
    )
    assert preprocess.prepare(encode(PICTURE)).notes == ()
