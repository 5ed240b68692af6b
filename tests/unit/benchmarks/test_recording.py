"""Each clue rises with what it is about, and print is found where letters are, not where a lung is white."""

from __future__ import annotations

import io
import math

import numpy as np
from PIL import Image

from benchmarks import recording
from benchmarks.variants import printed
from training.augment import jpeg
from training.data.sources import Item

RNG = np.random.default_rng(0)
CHEST = RNG.normal(110, 12, (224, 224)).clip(0, 255).astype(np.uint8)


def item(data: bytes, view: str = "") -> Item:
    return Item("name", 0, "patient", lambda: data, "source", view)


def as_png(pixels: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def test_black_side_margins() -> None:
    half = CHEST.copy()
    half[:, : recording.EDGE_PX] = 0
    assert recording.margins(CHEST) == 0
    assert recording.margins(half) == 0.5
    assert 0 < recording.margins(half.T) < 0.05


def test_print_is_found_near_the_edges_alone() -> None:
    marked = printed(CHEST, {"R": (0.08, 0.08)})
    central = printed(CHEST, {"R": (0.5, 0.5)})
    white_lung = CHEST.copy()
    white_lung[10:120, 10:100] = 230
    assert recording.print_share(CHEST) == 0
    assert recording.print_share(marked) > 0.0005
    assert recording.print_share(central) == 0
    chest_wall = CHEST.copy()
    chest_wall[60:120, 12:17] = 250
    assert recording.print_share(white_lung) < recording.print_share(marked)
    assert recording.print_share(chest_wall) == 0


def test_sharpness_falls_when_detail_is_lost() -> None:
    blurred = np.asarray(Image.fromarray(CHEST).resize((80, 80)).resize((224, 224)))
    assert recording.sharpness(blurred) < recording.sharpness(CHEST)


def test_quantisation_is_of_jpeg_alone() -> None:
    fine, coarse = (Image.open(io.BytesIO(jpeg.encode(CHEST, quality))) for quality in (95, 50))
    assert recording.quantisation(coarse) > recording.quantisation(fine) > 0
    assert math.isnan(recording.quantisation(Image.open(io.BytesIO(as_png(CHEST)))))


def test_gaps_between_gray_levels() -> None:
    gaps = np.tile([0, 10], 128)
    assert recording.unevenness(gaps) > 0.9
    assert recording.unevenness(np.full(256, 7)) == 0


def test_clues_of_a_file() -> None:
    wide = CHEST[:112]
    clues = recording.of_file(item(as_png(np.stack([wide] * 3, axis=-1)), "AP"))
    assert clues["width over height of the file"] == 2
    assert (clues["view is AP"], clues["stored in colour"]) == (1, 1)
    assert 100 < clues["mean tone"] < 120
    assert clues["gray levels used"] == len(np.unique(wide))
    plain = recording.of_file(item(as_png(CHEST)))
    assert plain["stored in colour"] == 0
    assert math.isnan(plain["view is AP"])
