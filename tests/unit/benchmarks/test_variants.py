"""Each variant by its shape and by what changed, on an image whose every pixel is known."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from benchmarks import variants
from benchmarks.variants import VARIANTS, Expected
from imaging import preprocess
from imaging.decode import decode

HEIGHT, WIDTH = 120, 160
GRAY = (40 + np.add.outer(np.arange(HEIGHT), np.arange(WIDTH)) / 2).astype(np.uint8)
"""Darkest at the upper left, where it is 40, brightest at the lower right."""
BY_NAME = {variant.name: variant for variant in VARIANTS}


def test_names_are_of_one_variant_each() -> None:
    assert len(BY_NAME) == len(VARIANTS)


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_every_file_is_read_and_shows_something_else(variant: variants.Variant) -> None:
    films = [GRAY, GRAY[::-1], 255 - GRAY, GRAY[:, ::-1]]
    before = GRAY.copy()
    data = variant.make(films)
    pixels = preprocess.read(data)
    assert pixels.dtype == np.uint8
    assert pixels.shape == (224, 224)
    assert np.array_equal(GRAY, before)
    decoded = decode(data)
    assert decoded.shape != GRAY.shape or not np.array_equal(decoded, GRAY) or variant.name.startswith("PNG, 16 bit")


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("cropped by 10% a side", (96, 128)),
        ("lower 30 % cut off", (84, 160)),
        ("left half alone", (120, 80)),
        ("black border, 20%", (168, 224)),
        ("black side margins of Montgomery", (120, 194)),
        ("4:3 film padded to a black square", (160, 160)),
        ("100 px", (75, 100)),
        ("2000 px", (1500, 2000)),
        ("224 px square", (224, 224)),
        ("turned left", (160, 120)),
        ("two side by side", (120, 320)),
        ("four on a sheet", (240, 320)),
    ],
)
def test_sizes(name: str, shape: tuple[int, int]) -> None:
    assert decode(BY_NAME[name].make([GRAY] * 4)).shape == shape


def test_corners_that_come_in() -> None:
    black, mirrored = (variants.turned(GRAY, 10, fill) for fill in variants.FILLS)
    corners = [black[0, 0], black[0, -1], black[-1, 0], black[-1, -1]]
    assert corners == [0, 0, 0, 0]
    assert mirrored.shape == black.shape == GRAY.shape
    assert mirrored.min() >= 40
    assert np.array_equal(black[50:70, 70:90], mirrored[50:70, 70:90])


def test_positive_degrees_turn_counter_clockwise() -> None:
    dot = np.zeros((101, 101), np.uint8)
    dot[50, 80] = 255
    row, column = np.unravel_index(variants.turned(dot, 10, "black").argmax(), dot.shape)
    assert row < 50
    assert 70 < column <= 80


def test_shifts() -> None:
    black, edge = variants.shifted(GRAY, "constant"), variants.shifted(GRAY, "edge")
    down, right = round(8 / 224 * HEIGHT), round(8 / 224 * WIDTH)
    assert np.array_equal(black[down:, right:], GRAY[:-down, :-right])
    assert black[:down].max() == 0
    assert black[:, :right].max() == 0
    assert np.array_equal(edge[down:, right:], GRAY[:-down, :-right])
    assert edge[0, 0] == GRAY[0, 0]


def test_crops_and_frames_keep_the_middle() -> None:
    assert np.array_equal(variants.cropped(GRAY, 0.1, 0.1, 0.1, 0.1), GRAY[12:108, 16:144])
    assert np.array_equal(variants.cropped(GRAY, top=0.3), GRAY[36:])
    white = variants.framed(GRAY, 255, 0.05, 0.1)
    assert np.array_equal(white[12:-12, 8:-8], GRAY)
    assert white[:12].min() == white[:, -8:].min() == 255


def test_print_is_white_and_where_it_was_wanted() -> None:
    print_changes = variants.printed(GRAY, variants.CORNERS) != GRAY
    assert variants.printed(GRAY, variants.CORNERS).max() > 220 > GRAY.max()
    assert all(quarter.any() for half in np.split(print_changes, 2) for quarter in np.split(half, 2, axis=1))
    assert not print_changes[HEIGHT // 4 : -HEIGHT // 4].any()
    assert (variants.printed(GRAY, variants.OVER_LUNGS) != GRAY)[40:65].any()


def test_tones() -> None:
    assert variants.exposed(GRAY, 0.7).mean() > GRAY.mean() > variants.exposed(GRAY, 1.4).mean()
    negative = decode(BY_NAME["negative"].make([GRAY] * 4))
    assert np.array_equal(negative, 255 - GRAY)


@pytest.mark.parametrize("name", ["PNG, 16 bit", "PNG, 16 bit, 12 of them partly filled"])
def test_16_bits_are_stored(name: str) -> None:
    stored = np.asarray(Image.open(io.BytesIO(BY_NAME[name].make([GRAY] * 4))))
    assert stored.max() > 255
    assert np.array_equal(stored.argsort(axis=None, kind="stable"), GRAY.argsort(axis=None, kind="stable"))


def test_sheets_hold_the_films() -> None:
    films = [GRAY, GRAY[::-1], 255 - GRAY, GRAY[:60]]
    sheet = variants.sheet(films, 2)
    assert np.array_equal(sheet[:HEIGHT, :WIDTH], films[0])
    assert np.array_equal(sheet[:HEIGHT, WIDTH:], films[1])
    assert np.array_equal(sheet[HEIGHT:, :WIDTH], films[2])


def test_what_must_be_refused() -> None:
    refused = {variant.name for variant in VARIANTS if variant.expected is Expected.REFUSED}
    assert {"turned left", "turned right", "upside down", "negative", "two side by side", "four on a sheet"} < refused
