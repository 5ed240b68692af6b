"""Figures over seeds by hand, and what is left out where a class is missing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.unit.training.synthetic import make_dataset
from training.holdout import summary
from training.holdout.predictions import Unseen

NAN = np.nan
LABELS = [0, 0, 1, 1]
DATASET = replace(make_dataset(LABELS, ["a", "b", "c", "d"]), sources=["east", "west", "east", "west"])
FIRST = Unseen(np.array([0.1, 0.8, 0.7, 0.9]), np.array([0.0, 1, 1, 1]))
SECOND = Unseen(np.array([0.1, 0.2, 0.7, NAN]), np.array([0.0, 0, 1, NAN]))


def test_each_seed_counts_what_it_predicted() -> None:
    figures = summary.by_group(DATASET, {}, [FIRST, SECOND])["all"]
    assert (figures.normal, figures.pneumonia) == (2, 2)
    assert figures.auc is not None
    assert figures.auc.each == [0.75, 1.0]
    assert figures.auc.mean == 0.875
    assert figures.auc.sd == pytest.approx(0.25 / np.sqrt(2))
    assert figures.sensitivity is not None
    assert figures.sensitivity.each == [1.0, 1.0]
    assert figures.specificity is not None
    assert figures.specificity.each == [0.5, 1.0]


def test_groups_are_those_of_images_that_were_predicted() -> None:
    nobody_west = Unseen(np.array([0.1, NAN, 0.7, NAN]), np.array([0.0, NAN, 1, NAN]))
    by_group = summary.by_group(DATASET, {"east": "child"}, [nobody_west])
    assert set(by_group) == {"all", "population child", "source east"}
    assert (by_group["all"].normal, by_group["all"].pneumonia) == (1, 1)


def test_a_group_of_one_class_has_what_that_class_tells() -> None:
    normals = replace(DATASET, sources=["one", "one", "two", "two"])
    figures = summary.by_group(normals, {}, [FIRST])["source one"]
    assert (figures.auc, figures.sensitivity) == (None, None)
    assert figures.specificity is not None
    assert (figures.specificity.mean, figures.specificity.sd, figures.specificity.interval) == (0.5, None, None)


def test_intervals_are_over_patients_and_enclose_the_mean() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 60)
    probabilities = np.clip(rng.normal(0.4 + 0.2 * labels, 0.15), 0, 1)
    run = Unseen(probabilities, (probabilities > 0.5).astype(float))
    alone = summary.by_group(make_dataset(labels.tolist(), [str(n) for n in range(120)]), {}, [run, run])["all"].auc
    pairs = summary.by_group(make_dataset(labels.tolist(), [str(n // 30) for n in range(120)]), {}, [run, run])["all"]
    assert alone is not None
    assert alone.interval is not None
    assert alone.interval[0] < alone.mean < alone.interval[1]
    assert pairs.auc is not None
    assert pairs.auc.mean == alone.mean
    assert pairs.auc.interval != alone.interval


def test_a_seed_without_a_class_has_no_figure() -> None:
    no_normals = Unseen(np.array([NAN, NAN, 0.7, 0.9]), np.array([NAN, NAN, 1.0, 1]))
    figures = summary.by_group(DATASET, {}, [FIRST, no_normals])["all"]
    assert figures.auc is not None
    assert figures.auc.each == [0.75, None]
    assert figures.auc.mean == 0.75
    assert figures.auc.sd is None
