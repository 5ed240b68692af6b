"""Figures of a variant by hand: who counts, and what a confident decision is."""

from __future__ import annotations

import numpy as np

from benchmarks.flips import Answers, measure

PLAIN = Answers(np.array([0.1, 0.4, 0.6, 0.9, 0.9]), np.array([False, False, False, False, True]))
LABELS = [0, 0, 1, 1, 1]


def test_nothing_changes() -> None:
    figures = measure(PLAIN, PLAIN, LABELS, 0.5)
    assert (figures.flips, figures.confident_flips, figures.mean_change) == (0, 0, 0.0)
    assert (figures.images, figures.both_judged, figures.confident) == (5, 4, 2)
    assert (figures.refused, figures.sensitivity, figures.specificity) == (0.2, 1.0, 1.0)


def test_flips_are_counted_among_those_judged_twice() -> None:
    variant = Answers(np.array([0.8, 0.7, 0.2, 0.3, 0.1]), np.array([False, False, False, True, False]))
    figures = measure(PLAIN, variant, LABELS, 0.5)
    assert (figures.both_judged, figures.flips) == (3, 3)
    assert (figures.confident, figures.confident_flips) == (1, 1)
    assert (figures.sensitivity, figures.specificity) == (0.0, 0.0)
    assert np.isclose(figures.mean_change or 0, (0.7 + 0.3 + 0.4) / 3)


def test_none_is_judged() -> None:
    figures = measure(PLAIN, Answers(PLAIN.probabilities, np.ones(5, np.bool_)), LABELS, 0.5)
    assert (figures.refused, figures.sensitivity, figures.specificity, figures.mean_change) == (1.0, None, None, None)
