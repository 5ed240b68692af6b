"""A uniform border is cut off before the resize; black edges as training images have them are not."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from imaging import orientation, preprocess, trim
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


def test_a_small_picture_is_told_with_the_size_that_is_judged() -> None:
    small = PICTURE[:120, :150]
    assert preprocess.prepare(encode(small)).notes == (
        "The picture is small (150 × 120 px), and the model less reliable on it.",
    )
    assert preprocess.prepare(encode(np.pad(small, 45, constant_values=255))).notes == (
        "The picture is small (150 × 120 px without its border), and the model less reliable on it.",
    )
    assert preprocess.prepare(encode(PICTURE)).notes == ()


def test_a_nearly_uniform_picture_is_told() -> None:
    assert preprocess.prepare(encode((PICTURE // 40 + 100).astype(np.uint8))).notes == (
        "The picture is nearly uniform, and the model less reliable on it.",
    )


def test_a_large_radiograph_in_a_wide_border_is_not_made_small() -> None:
    """Scaled to 350 pixels when it is decoded, 185 of them would be left of 1480."""
    large = np.kron(PICTURE[:185, :185], np.ones((8, 8), np.uint8))
    data = encode(np.pad(large, 660, constant_values=255), "JPEG", quality=95)
    prepared = preprocess.prepare(data)
    assert prepared.notes == ()
    assert prepared.box.right - prepared.box.left >= preprocess.DECODED_PX
    assert np.abs(prepared.pixels.astype(int) - preprocess.preprocess(large)).mean() < 3


@pytest.mark.parametrize("turn", orientation.TURNS)
def test_a_turned_file_with_a_border_is_judged_like_the_upright_one(turn: int) -> None:
    """Pixels for the network and the place of the map alike; the border differs from side to side."""
    upright = np.pad(PICTURE, ((10, 60), (30, 0)), constant_values=255)
    back = {6: 8, 8: 6}.get(turn, turn)
    stored = np.asarray(Image.fromarray(upright).transpose(orientation.TURNS[back]))
    exif = Image.Exif()
    exif[orientation.TAG] = turn
    prepared = preprocess.prepare(encode(stored, exif=exif))
    assert prepared.box == trim.Box(530, 470, 30, 10, 530, 410)
    assert np.array_equal(prepared.pixels, preprocess.preprocess(PICTURE))
    assert prepared.preview is not None
    assert Image.open(io.BytesIO(prepared.preview)).size == (530, 470)


def test_little_contrast_and_an_empty_field_are_noted() -> None:
    flat, empty = (PICTURE // 5 + 100).astype(np.uint8), PICTURE.copy()
    empty[40:-40, : PICTURE.shape[1] * 7 // 10] = 2  # no border: the rows above and below show something
    assert preprocess.prepare(encode(flat)).notes == (
        "The picture has little contrast, and the model is less reliable on it.",
    )
    assert preprocess.prepare(encode(empty)).notes == (
        "More than half of the picture is empty, and the model less reliable on it.",
    )


def test_all_notes_together_fit_into_their_column() -> None:
    tiny = np.full((30, 30), 90, np.uint8)
    tiny[::9, :20], tiny[:, 28] = 130, 130
    notes = " ".join(preprocess.prepare(encode(tiny)).notes)
    assert notes.count("The picture") == 2
    assert "More than half" in notes
    assert len(notes) < 300
