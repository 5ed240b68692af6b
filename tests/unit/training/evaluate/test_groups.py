"""Figures by source, view and age: of a group's own images, and none where they cannot be told."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.unit.training.synthetic import make_dataset
from training.evaluate import groups

LABELS = np.array([0, 0, 1, 1])
PROBABILITIES = np.array([0.1, 0.7, 0.6, 0.9])


def test_figures_of_each_group_are_those_of_its_images() -> None:
    by_kind = groups.measured(LABELS, PROBABILITIES, 0.5, {"source": ["a", "b", "b", "a"], "view": ["PA"] * 4})
    assert set(by_kind) == {"source"}  # all of one view
    of_a, of_b = by_kind["source"]["a"], by_kind["source"]["b"]
    assert (of_a.normal, of_a.pneumonia, of_a.auc, of_a.sensitivity, of_a.specificity) == (1, 1, 1.0, 1.0, 1.0)
    assert (of_b.auc, of_b.sensitivity, of_b.specificity) == (0.0, 1.0, 0.0)


def test_a_group_of_one_class_has_half_the_figures() -> None:
    figures = groups.measure(LABELS[:2], PROBABILITIES[:2], 0.5)
    assert (figures.auc, figures.sensitivity, figures.specificity) == (None, None, 0.5)


def test_what_is_not_known_makes_no_group() -> None:
    by_kind = groups.measured(LABELS, PROBABILITIES, 0.5, {"view": ["PA", "AP", "", ""]})
    assert {name: figures.normal for name, figures in by_kind["view"].items()} == {"AP": 1, "PA": 1}


@pytest.mark.parametrize(
    ("age_years", "population", "band"),
    [(0, "child", "00 to 5 years"), (15.9, "child", "06 to 17 years"), (16, "adult", "06 to 17 years"),
     (65, "adult", "65 to 130 years"), (130, "adult", "65 to 130 years"), (np.nan, "adult", "")],
)  # fmt: skip
def test_ages_make_populations_and_bands(age_years: float, population: str, band: str) -> None:
    dataset = replace(make_dataset([0], ["p"]), sources=["ward"], ages_years=np.array([age_years]))
    names = groups.names(dataset, {"ward": "adult"})
    assert (names["population"], names["age"]) == ([population], [band])
