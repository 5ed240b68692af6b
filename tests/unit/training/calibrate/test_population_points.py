"""Calibration and operating point of each population, from made-up logits."""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from core.populations import Population
from model.card import OperatingPoint, PopulationGain, PopulationPoint
from training.calibrate import population_points
from training.calibrate.population_points import Scores

COMMON = OperatingPoint(threshold=0.5, rule="fixed")
CHILD, ADULT = Population.CHILD, Population.ADULT
EACH = 1200
POPULATIONS: NDArray[np.str_] = np.repeat(["child", "adult"], EACH)


@pytest.fixture(scope="module")
def scores() -> Scores:
    """Children's logits are calibrated as they are; of adults they are too high by 2 and half as steep."""
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 3, 2 * EACH)
    labels = (rng.random(2 * EACH) < 1 / (1 + np.exp(-logits))).astype(np.int64)
    raw = np.where(POPULATIONS == "adult", logits / 2 + 2, logits)
    patients: NDArray[np.str_] = np.array([f"p{number // 2}" for number in range(2 * EACH)])
    return Scores(np.stack([raw, raw]), labels, patients, np.arange(2 * EACH) // 2 % 5 == 0)


def gain(point: PopulationPoint) -> PopulationGain:
    assert point.measured is not None
    return point.measured


def test_what_is_off_in_one_population_is_put_right_in_it_alone(scores: Scores) -> None:
    points = population_points.fit(scores, POPULATIONS, COMMON)
    child, adult = points[CHILD], points[ADULT]
    assert child.slope == pytest.approx(1, abs=0.15)
    assert child.intercept == pytest.approx(0, abs=0.25)
    assert adult.slope == pytest.approx(2, abs=0.3)
    assert adult.intercept == pytest.approx(-4, abs=0.6)
    told = gain(adult)
    assert told.figures.calibration_error < 0.05 < 0.15 < told.common.calibration_error
    assert told.figures.auc == pytest.approx(told.common.auc)
    assert (adult.own, adult.images, adult.patients) == (True, EACH, EACH // 2)


def test_the_gain_is_measured_on_the_validation_part_without_it(scores: Scores) -> None:
    adult = gain(population_points.fit(scores, POPULATIONS, COMMON)[ADULT])
    low, high = adult.interval
    assert 0.05 < low < adult.gain < high
    wrong = replace(scores, labels=np.where(scores.validation, 1 - scores.labels, scores.labels))
    assert gain(population_points.fit(wrong, POPULATIONS, COMMON)[ADULT]).gain < 0


def test_a_population_whose_own_point_is_worse_keeps_that_of_all(
    scores: Scores, caplog: pytest.LogCaptureFixture
) -> None:
    """The adults of the validation part are other ones: what the training part teaches of them is wrong there."""
    adult = POPULATIONS == "adult"
    moved = scores.logits - np.where(adult & scores.validation, 2, 0)
    points = population_points.fit(replace(scores, logits=moved), POPULATIONS, COMMON)
    assert not points[ADULT].own
    assert (points[ADULT].slope, points[ADULT].intercept, points[ADULT].threshold) == (1, 0, 0.5)
    assert gain(points[ADULT]).interval[1] < 0
    assert points[CHILD].own
    assert "adult keeps the operating point of all images" in caplog.text


def test_a_sensitivity_that_is_asked_for_is_reached_in_each_population(scores: Scores) -> None:
    points = population_points.fit(scores, POPULATIONS, COMMON, sensitivity=0.95)
    assert points[CHILD].own
    assert points[ADULT].own
    assert gain(points[CHILD]).figures.sensitivity == pytest.approx(0.95, abs=0.01)
    assert gain(points[ADULT]).figures.sensitivity == pytest.approx(0.95, abs=0.01)


def test_of_one_population_nothing_is_said(scores: Scores, caplog: pytest.LogCaptureFixture) -> None:
    assert population_points.fit(scores, np.full(2 * EACH, "child"), COMMON) == {}
    assert population_points.fit(scores, np.full(2 * EACH, ""), COMMON) == {}
    assert caplog.records == []


@pytest.mark.parametrize("lacking", ["images", "pneumonias"])
def test_too_few_images_of_a_population_are_told(
    scores: Scores, lacking: str, caplog: pytest.LogCaptureFixture
) -> None:
    adult, images = POPULATIONS == "adult", np.arange(2 * EACH)
    if lacking == "images":
        scores, populations = scores, np.where(adult & (images >= EACH + 150), "", POPULATIONS)
    else:
        scores, populations = replace(scores, labels=np.where(adult, 0, scores.labels)), POPULATIONS
    with caplog.at_level(logging.WARNING):
        assert population_points.fit(scores, populations, COMMON) == {}
    assert "of the population adult" in caplog.text


def test_probabilities_and_thresholds_are_those_of_the_population_where_it_is_known(scores: Scores) -> None:
    populations = np.where(np.arange(2 * EACH) == 0, "", POPULATIONS)
    points = population_points.fit(scores, populations, COMMON)
    probabilities, thresholds = population_points.applied(scores, populations, COMMON, points)
    logits = scores.logits[:, -1] * points[ADULT].slope + points[ADULT].intercept
    assert probabilities[:, -1] == pytest.approx(1 / (1 + np.exp(-logits)))
    assert probabilities[:, 0] == pytest.approx(1 / (1 + np.exp(-scores.logits[:, 0])))
    assert thresholds[[0, 1, -1]].tolist() == [0.5, points[CHILD].threshold, points[ADULT].threshold]
