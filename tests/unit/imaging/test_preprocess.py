"""The transform is pinned: a checkpoint is only valid with the very one it was trained with."""

from __future__ import annotations

import tarfile
from pathlib import Path

import numpy as np
import pytest

from imaging import preprocess
from imaging.decode import decode
from tests.unit.model.factories import gradient


@pytest.mark.parametrize("shape", [(1, 1), (224, 224), (100, 900), (1500, 40)])
def test_shape_and_type(shape: tuple[int, int]) -> None:
    result = preprocess.preprocess(np.full(shape, 77, np.uint8))
    assert result.shape == (224, 224)
    assert result.dtype == np.uint8
    assert np.all(result == 77)


def test_right_size_is_left_alone() -> None:
    gray = gradient(224, 224)
    assert np.array_equal(preprocess.preprocess(gray), gray)


def test_pinned_values() -> None:
    stripes = np.tile(np.array([0, 255, 30, 200, 90], np.uint8), (500, 180))
    result = preprocess.preprocess(stripes)
    assert result[0, :8].tolist() == [116, 116, 111, 116, 116, 115, 118, 110]
    assert preprocess.preprocess(gradient(40, 60))[112, ::40].tolist() == [51, 78, 106, 134, 161, 190]


def test_shrinking_averages_rather_than_skips() -> None:
    checkers = np.indices((896, 896)).sum(0) % 2 * 255
    assert np.ptp(preprocess.preprocess(checkers.astype(np.uint8))) <= 2


def test_matches_the_training_copies(shared_data: Path) -> None:
    """The set's 224 x 224 copies differ from ours by little more than their JPEG compression."""
    original = next(iter(sorted((shared_data / "originals" / "NORMAL").iterdir())))
    ours = preprocess.preprocess(decode(original.read_bytes()))
    with tarfile.open(shared_data / "chest_xray_224.tar") as archive:
        member = archive.extractfile(f"chest_xray_224/train/NORMAL/{original.name}")
        assert member is not None
        theirs = decode(member.read())
    assert np.abs(ours.astype(int) - theirs).mean() < 3
