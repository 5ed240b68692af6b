"""Intervals over patients: their width, their seed, and that images of one child go together."""

from __future__ import annotations

import numpy as np
import pytest

from training.evaluate import bootstrap

STATISTICS = {"mean": lambda labels, values: float(values.mean())}
LABELS = np.arange(400) % 2
VALUES = np.random.default_rng(0).normal(size=400)
ALONE = [str(number) for number in range(400)]


def test_width_is_that_of_the_mean() -> None:
    low, high = bootstrap.intervals(STATISTICS, LABELS, VALUES, ALONE)["mean"]
    assert low < VALUES.mean() < high
    assert high - low == pytest.approx(2 * 1.96 / np.sqrt(400), rel=0.15)


def test_images_of_one_patient_go_together() -> None:
    """Four equal images of each of a hundred patients say as much as a hundred images: twice the width."""
    patients, values = [str(number // 4) for number in range(400)], np.repeat(VALUES[:100], 4)
    low, high = bootstrap.intervals(STATISTICS, LABELS, values, patients)["mean"]
    assert high - low == pytest.approx(2 * 1.96 * VALUES[:100].std() / np.sqrt(100), rel=0.15)


def test_same_seed_same_interval() -> None:
    first, again, other = (
        bootstrap.intervals(STATISTICS, LABELS, VALUES, ALONE, seed=seed)["mean"] for seed in (0, 0, 1)
    )
    assert first == again != other


def test_draws_of_one_class_are_left_out() -> None:
    statistics = {"share": lambda labels, values: float(labels.mean())}
    low, high = bootstrap.intervals(statistics, np.array([0, 1]), np.zeros(2), ["a", "b"])["share"]
    assert (low, high) == (0.5, 0.5)


def test_one_class_alone_is_an_error() -> None:
    with pytest.raises(ValueError, match="both classes"):
        bootstrap.intervals(STATISTICS, np.zeros(4, np.int64), np.zeros(4), list("abcd"))
