"""Figures of decisions before and after, against those of earlier releases."""

from __future__ import annotations

import numpy as np
import pytest

from model.card import OperatingPoint
from training.calibrate.site_figures import compare

LABELS = (np.arange(120) % 3 == 0).astype(np.int64)
LOGITS = np.random.default_rng(7).normal(size=(2, 120)) + 2 * LABELS - 1
PATIENTS = np.array([f"p{number // 2}" for number in range(120)])


def test_intervals_are_those_of_earlier_releases() -> None:
    """A site's figures had a bootstrap of their own; these are its intervals."""
    old, new = (OperatingPoint(threshold=threshold, rule="") for threshold in (0.5, 0.6))
    comparison = compare(LABELS, PATIENTS, LOGITS[0] > 0, LOGITS[1] > 0, old, new)
    assert comparison.before.intervals == {
        "accuracy": pytest.approx((0.7833333333333333, 0.9083333333333333)),
        "sensitivity": pytest.approx((0.6666666666666666, 0.9167229729729727)),
        "specificity": pytest.approx((0.8, 0.9411764705882353)),
    }
    assert comparison.after.intervals == {
        "accuracy": pytest.approx((0.8166666666666667, 0.925)),
        "sensitivity": pytest.approx((0.6764507154213037, 0.9130745341614904)),
        "specificity": pytest.approx((0.8421052631578947, 0.9675486270022874)),
    }


def test_figures_by_hand() -> None:
    labels, called = np.array([0, 0, 0, 1, 1]), np.array([False, True, False, True, False])
    patients = np.array(list("abcde"))
    point = OperatingPoint(threshold=0.5, rule="")
    figures = compare(labels, patients, called, called, point, point).after
    assert figures.confusion == [[2, 1], [1, 1]]
    assert (figures.accuracy, figures.sensitivity, figures.specificity) == pytest.approx((3 / 5, 1 / 2, 2 / 3))
