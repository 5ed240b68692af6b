"""The threshold on distributions whose answer is known."""

from __future__ import annotations

import numpy as np

from training.calibrate import operating_point


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


def test_useless_probabilities_have_a_threshold_too() -> None:
    assert operating_point.choose_threshold(np.array([[0.3, 0.2]]), np.array([0, 1])).threshold == 0.1


def test_highest_threshold_that_finds_enough() -> None:
    """Three of four pneumonias are at 0.5 or more; finding all four would call a normal ill."""
    probabilities, labels = np.array([[0.1, 0.3, 0.2, 0.5, 0.7, 0.9]]), np.array([0, 0, 1, 1, 1, 1])
    point = operating_point.choose_threshold(probabilities, labels, sensitivity=0.75)
    assert point.threshold == 0.4
    assert "75.0%" in point.rule
    assert operating_point.choose_threshold(probabilities, labels, sensitivity=1).threshold == 0.15
