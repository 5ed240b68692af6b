"""`pneumoscreen lungs`: from labelled images to a file of masks."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from tests.unit.cli.conftest import Invoke
from tests.unit.training.lungs.chests import chest
from training.lungs import masks
from training.lungs.network import MASK_PX


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Three drawn chests."""
    for seed, label in enumerate(("NORMAL", "NORMAL", "PNEUMONIA")):
        (tmp_path / "set" / label).mkdir(parents=True, exist_ok=True)
        Image.fromarray(chest(seed)[0]).save(tmp_path / "set" / label / f"{seed}.png")
    return tmp_path / "set"


def test_every_image_gets_a_mask(invoke: Invoke, data: Path, tmp_path: Path) -> None:
    ran = invoke("lungs", data, "--out", tmp_path / "lungs.npz", "--steps", "1")
    assert ran.exit_code == 0, ran.stderr
    assert "lungs of 3 images" in ran.stdout
    made = masks.read(tmp_path / "lungs.npz")
    assert sorted(made.names) == ["set/NORMAL/0.png", "set/NORMAL/1.png", "set/PNEUMONIA/2.png"]
    assert made.of(["set/PNEUMONIA/2.png"]).shape == (1, MASK_PX, MASK_PX)


def test_a_set_without_sure_lungs_is_an_error_of_one_sentence(invoke: Invoke, data: Path, tmp_path: Path) -> None:
    for file in data.glob("NORMAL/*"):
        Image.fromarray(chest(lungs=False)[0]).save(file)
    ran = invoke("lungs", data, "--out", tmp_path / "lungs.npz", "--steps", "1")
    assert ran.exit_code != 0
    assert not (tmp_path / "lungs.npz").exists()
