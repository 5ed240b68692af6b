"""Before and after: the figures of two operating points on the same images, with intervals over patients."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from model.card import OperatingPoint

DRAWS = 2000

Called = NDArray[np.bool_]
Labels = NDArray[np.int64]
Interval = tuple[float, float]


class PointFigures(BaseModel):
    """`confusion` is [[true normal, false pneumonia], [false normal, true pneumonia]]; intervals hold 95 %."""

    model_config = ConfigDict(frozen=True)

    threshold: float
    images: int
    accuracy: float
    sensitivity: float
    specificity: float
    confusion: list[list[int]]
    intervals: dict[str, Interval]


class Comparison(BaseModel):
    """`after` is cross-validated."""

    model_config = ConfigDict(frozen=True)

    before: PointFigures
    after: PointFigures


def compare(
    labels: Labels, patients: NDArray[np.str_], before: Called, after: Called, old: OperatingPoint, new: OperatingPoint
) -> Comparison:
    """Figures of decisions (n,), true for pneumonia, at the old and at the new operating point."""
    draws = _draws(patients)
    return Comparison(
        before=_figures(labels, before, old.threshold, draws), after=_figures(labels, after, new.threshold, draws)
    )


def _figures(labels: Labels, called: Called, threshold: float, draws: list[NDArray[np.int64]]) -> PointFigures:
    confusion = [[int(((labels == is_) & (called == said)).sum()) for said in (0, 1)] for is_ in (0, 1)]
    drawn = [_shares(labels[draw], called[draw]) for draw in draws if 0 < labels[draw].mean() < 1]
    names = ("accuracy", "sensitivity", "specificity")
    bounds = np.quantile(np.array(drawn), (0.025, 0.975), axis=0)
    accuracy, sensitivity, specificity = _shares(labels, called)
    return PointFigures(
        threshold=threshold,
        images=len(labels),
        accuracy=accuracy,
        sensitivity=sensitivity,
        specificity=specificity,
        confusion=confusion,
        intervals={name: (float(bounds[0, i]), float(bounds[1, i])) for i, name in enumerate(names)},
    )


def _shares(labels: Labels, called: Called) -> tuple[float, float, float]:
    right = called == (labels == 1)
    return float(right.mean()), float(right[labels == 1].mean()), float(right[labels == 0].mean())


def _draws(patients: NDArray[np.str_]) -> list[NDArray[np.int64]]:
    """Indices of the images of as many patients as there are, drawn with replacement."""
    rng = np.random.default_rng(0)
    _, groups = np.unique(patients, return_inverse=True)
    members = [np.flatnonzero(groups == group) for group in range(groups.max() + 1)]
    return [np.concatenate([members[i] for i in rng.integers(0, len(members), len(members))]) for _ in range(DRAWS)]
