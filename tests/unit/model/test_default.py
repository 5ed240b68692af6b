"""The checkpoint that comes with the code."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from imaging.decode import decode
from imaging.preprocess import preprocess
from model import loaded
from model.registry import DEFAULT, Registry


def test_is_active_in_a_new_installation(tmp_path: Path) -> None:
    entry = Registry(tmp_path).primary()
    assert entry.path == DEFAULT
    assert entry.card.classes == ("normal", "pneumonia")
    assert {"test", "out_of_fold"} <= entry.card.metrics.keys()


def test_tells_training_images_apart(shared_data: Path, tmp_path: Path) -> None:
    """Not a measurement, these images were trained on; but swapped classes or a broken transform would show."""
    model = loaded.load(Registry(tmp_path).primary(), "torch-cpu")
    for folder, expected in [("NORMAL", False), ("PNEUMONIA", True)]:
        files = sorted((shared_data / "originals" / folder).iterdir())[:10]
        batch = np.stack([preprocess(decode(file.read_bytes())) for file in files])
        assert np.mean((model.predict(batch).probability >= model.threshold) == expected) >= 0.8
