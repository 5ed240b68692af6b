"""Masks of drawn chests, and the file that holds them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.errors import InvalidInput
from tests.unit.training.lungs.chests import chest
from training.lungs import masks
from training.lungs.masks import LungMasks
from training.lungs.network import MASK_PX
from training.progress import silent


def test_a_white_lung_gets_a_mask_from_the_network() -> None:
    pairs = [chest(seed) for seed in range(10)]
    pixels = np.stack([image for image, _ in pairs])
    pixels[0, 75:200, 30:112] = 170  # a lung of which the top alone shows
    clear = np.ones(len(pixels), np.bool_)
    assert not masks.sure(pixels[:1], clear[:1], silent).any()
    made = masks.make(pixels, clear, steps=40, seed=0, progress=lambda *_: None)
    assert made.shape == (10, MASK_PX, MASK_PX)
    assert made.dtype == np.uint8
    lung = np.stack([mask[::4, ::4] for _, mask in pairs])
    assert made[lung].mean() > made[~lung].mean() + 40
    assert made[0][lung[0]].mean() > made[0][~lung[0]].mean() + 20


def test_sure_lungs_are_looked_for_on_clear_films_alone() -> None:
    pixels = np.stack([chest(seed)[0] for seed in range(2)])
    found = masks.sure(pixels, np.array([True, False]), silent)
    assert found[0].any()
    assert not found[1].any()


def test_without_a_sure_film_there_is_nothing_to_learn() -> None:
    pixels = chest(lungs=False)[0][None]
    with pytest.raises(InvalidInput, match="without doubt"):
        masks.make(pixels, np.array([True]), steps=1, seed=0, progress=lambda *_: None)


def test_round_trip_in_the_order_that_is_asked_for(tmp_path: Path) -> None:
    kept = LungMasks(["a.jpg", "b.jpg"], np.stack([np.full((56, 56), value, np.uint8) for value in (0, 255)]))
    masks.write(tmp_path / "masks.npz", kept)
    read = masks.read(tmp_path / "masks.npz")
    assert read.names == ["a.jpg", "b.jpg"]
    assert read.of(["b.jpg", "a.jpg"])[:, 0, 0].tolist() == [1, 0]


def test_an_image_without_mask(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"c\.jpg"):
        LungMasks(["a.jpg"], np.zeros((1, 56, 56), np.uint8)).of(["a.jpg", "c.jpg"])


@pytest.mark.parametrize("content", [b"", b"nothing of the kind", b"PK\x03\x04 and cut off"])
def test_another_file(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "masks.npz").write_bytes(content)
    with pytest.raises(InvalidInput, match="no file of lung masks"):
        masks.read(tmp_path / "masks.npz")


def test_a_single_array_is_no_file_of_masks(tmp_path: Path) -> None:
    np.save(tmp_path / "masks.npy", np.zeros(3))
    with pytest.raises(InvalidInput, match="no file of lung masks"):
        masks.read(tmp_path / "masks.npy")
