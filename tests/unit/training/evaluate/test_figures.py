"""Figures against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from training.evaluate import figures
from training.evaluate.figures import Figures

LABELS = np.array([0, 0, 0, 0, 1, 1, 1, 1, 1, 1])
PROBABILITIES = np.array([0.1, 0.2, 0.3, 0.7, 0.4, 0.5, 0.6, 0.8, 0.9, 0.95])
"""At 0.5: three of four normals and five of six pneumonias are right."""


@pytest.fixture
def measured() -> Figures:
    return figures.measure(LABELS, PROBABILITIES, 0.5)


def test_confusion_and_shares(measured: Figures) -> None:
    assert measured.confusion == [[3, 1], [1, 5]]
    assert measured.accuracy == pytest.approx(0.8)
    assert measured.specificity == pytest.approx(3 / 4)
    assert measured.sensitivity == pytest.approx(5 / 6)
    assert measured.images == 10


def test_weighted_means(measured: Figures) -> None:
    assert measured.precision_weighted == pytest.approx(0.4 * 3 / 4 + 0.6 * 5 / 6)
    assert measured.recall_weighted == pytest.approx(0.8)
    assert measured.f1_weighted == pytest.approx(0.4 * 0.75 + 0.6 * 5 / 6)


def test_per_class(measured: Figures) -> None:
    assert measured.per_class["NORMAL"].precision == pytest.approx(0.75)
    assert measured.per_class["PNEUMONIA"].recall == pytest.approx(5 / 6)
    assert measured.per_class["PNEUMONIA"].images == 6


def test_area_is_the_share_of_pairs_in_order(measured: Figures) -> None:
    """Of 24 pairs, the normal at 0.7 beats the pneumonias at 0.4, 0.5 and 0.6."""
    assert measured.auc == pytest.approx(21 / 24)


def test_brier_is_the_mean_square(measured: Figures) -> None:
    assert measured.brier == pytest.approx(np.mean((PROBABILITIES - LABELS) ** 2))


def test_at_the_threshold_counts_as_pneumonia() -> None:
    assert figures.measure(np.array([0, 1]), np.array([0.1, 0.5]), 0.5).sensitivity == 1


def test_a_class_never_called_has_no_precision_and_no_warning() -> None:
    measured = figures.measure(LABELS, PROBABILITIES, 1.0)
    assert measured.per_class["PNEUMONIA"].precision == 0
    assert measured.specificity == 1


def test_calibration_error_by_hand() -> None:
    """Two bins: in the lower one two of four are ill at a mean of 0.2, in the upper one all at a mean of 0.9."""
    labels, probabilities = np.array([0, 0, 1, 1, 1, 1]), np.array([0.1, 0.3, 0.1, 0.3, 0.8, 1.0])
    assert figures.calibration_error(labels, probabilities, bins=2) == pytest.approx((4 * 0.3 + 2 * 0.1) / 6)


def test_sensitivity_at_specificity_by_hand() -> None:
    assert figures.sensitivity_at(LABELS, PROBABILITIES, 0.75) == 1
    assert figures.sensitivity_at(LABELS, PROBABILITIES, 1.0) == pytest.approx(0.5)


def test_intervals_only_where_patients_are_known(measured: Figures) -> None:
    assert measured.intervals == {}
    known = figures.measure(LABELS, PROBABILITIES, 0.5, [str(number) for number in range(10)])
    assert set(known.intervals) == {"accuracy", "auc", "sensitivity", "specificity"}
    for name, (low, high) in known.intervals.items():
        assert low <= getattr(known, name) <= high


def test_each_image_may_have_a_threshold_of_its_own() -> None:
    labels, probabilities = np.array([0, 0, 1, 1]), np.array([0.3, 0.5, 0.5, 0.9])
    measured = figures.measure(labels, probabilities, np.array([0.4, 0.6, 0.4, 0.95]), list("abcd"))
    assert (measured.specificity, measured.sensitivity, measured.threshold) == (1, 0.5, None)
    assert measured.intervals["specificity"] == (1, 1)
    assert figures.measure(labels, probabilities, np.full(4, 0.4)).threshold == 0.4
