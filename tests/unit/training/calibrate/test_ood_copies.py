"""Copies that must be judged, and copies that must be refused."""

from __future__ import annotations

import numpy as np
import pytest

from tests.testing.factories import radiograph
from training.augment.jpeg import recompress
from training.calibrate import ood_copies


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def gray() -> ood_copies.Gray:
    return radiograph(size_px=(224, 224))


def test_kept_copies_are_images_of_the_same_size_close_to_the_first(
    gray: ood_copies.Gray, rng: np.random.Generator
) -> None:
    for _ in range(10):
        copy = ood_copies.kept(gray, rng)
        assert copy.shape == (224, 224)
        assert copy.dtype == np.uint8
        mirrored = max(np.corrcoef(copy.ravel(), its.ravel())[0, 1] for its in (gray, gray[:, ::-1]))
        assert mirrored > 0.5


def test_the_same_seed_gives_the_same_copies(gray: ood_copies.Gray) -> None:
    first, again = (ood_copies.kept(gray, np.random.default_rng(3)) for _ in range(2))
    assert np.array_equal(first, again)


@pytest.mark.parametrize("name", ood_copies.SPOILT)
def test_spoilt_copies_are_other_images_of_the_same_size(
    name: str, gray: ood_copies.Gray, rng: np.random.Generator
) -> None:
    copy = ood_copies.SPOILT[name](gray, rng)
    assert copy.shape == (224, 224)
    assert copy.dtype == np.uint8
    assert not np.array_equal(copy, gray)


def test_shuffling_loses_no_pixel(gray: ood_copies.Gray, rng: np.random.Generator) -> None:
    assert np.array_equal(np.sort(ood_copies.SPOILT["shuffled"](gray, rng).ravel()), np.sort(gray.ravel()))


def test_an_upside_down_copy_has_its_top_below(gray: ood_copies.Gray, rng: np.random.Generator) -> None:
    copy = ood_copies.SPOILT["upside_down"](gray, rng)
    assert np.array_equal(copy.mean(axis=1), gray.mean(axis=1)[::-1])


def test_coarse_encoding_changes_more_than_fine(gray: ood_copies.Gray) -> None:
    change = [np.abs(recompress(gray, quality).astype(int) - gray).mean() for quality in (30, 95)]
    assert change[0] > change[1] > 0
