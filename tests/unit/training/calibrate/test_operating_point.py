"""Calibration and threshold on distributions whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from model.card import Calibration
from training.calibrate import operating_point


def test_platt_undoes_a_known_distortion() -> None:
    """Gaussian logits of means -2 and +2 and variance 4 are calibrated at equal shares; scale and shift them."""
    rng = np.random.default_rng(0)
    labels = (rng.random(20_000) < 0.8).astype(np.int64)
    honest = rng.normal(np.where(labels, 2, -2), 2)
    found = operating_point.fit_platt((3 * honest + 1).astype(np.float32)[None], labels)
    assert found.slope == pytest.approx(1 / 3, rel=0.05)
    assert found.intercept == pytest.approx(-1 / 3, abs=0.08)
    assert found.prior == 0.5


def test_apply_by_hand() -> None:
    calibration = Calibration(slope=2, intercept=-1, prior=0.5)
    assert operating_point.apply(calibration, np.array([[0.5, 1.0]], np.float32)) == pytest.approx(
        np.array([[0.5, 1 / (1 + np.exp(-1))]])
    )


def test_threshold_lies_midway_in_a_gap() -> None:
    point = operating_point.choose_threshold(np.array([[0.1, 0.2, 0.6, 0.9]]), np.array([0, 0, 1, 1]))
    assert point.threshold == 0.4
    assert "balanced accuracy" in point.rule


def test_threshold_weighs_classes_not_images() -> None:
    """One of two normals against one of twenty pneumonias: give up the pneumonia."""
    probabilities = np.array([[0.1, 0.5] + [0.4] + [0.9] * 19])
    labels = np.array([0, 0] + [1] * 20)
    assert operating_point.choose_threshold(probabilities, labels).threshold == 0.7


def test_threshold_sees_all_views() -> None:
    probabilities = np.array([[0.1, 0.9], [0.1, 0.3]])
    assert operating_point.choose_threshold(probabilities, np.array([0, 1])).threshold == 0.2


def test_threshold_of_useless_probabilities_is_still_one() -> None:
    assert operating_point.choose_threshold(np.array([[0.3, 0.2]]), np.array([0, 1])).threshold == 0.1


def test_highest_threshold_that_finds_enough() -> None:
    """Three of four pneumonias are at 0.5 or more; finding all four would call a normal ill."""
    probabilities, labels = np.array([[0.1, 0.3, 0.2, 0.5, 0.7, 0.9]]), np.array([0, 0, 1, 1, 1, 1])
    point = operating_point.choose_threshold(probabilities, labels, sensitivity=0.75)
    assert point.threshold == 0.4
    assert "75.0%" in point.rule
    assert operating_point.choose_threshold(probabilities, labels, sensitivity=1).threshold == 0.15
