"""Before and after: the figures of two operating points on the same images, with intervals over patients."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from model.card import OperatingPoint
from training.evaluate import bootstrap
from training.evaluate.bootstrap import Interval
from training.evaluate.figures import accuracy, sensitivity, specificity

DRAWS = 2000
STATISTICS = {"accuracy": accuracy, "sensitivity": sensitivity, "specificity": specificity}

Called = NDArray[np.bool_]
Labels = NDArray[np.int64]


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
    """Return figures of decisions (n,), true for pneumonia, at the old and at the new operating point."""
    return Comparison(
        before=_figures(labels, before, old.threshold, patients), after=_figures(labels, after, new.threshold, patients)
    )


def _figures(labels: Labels, called: Called, threshold: float, patients: NDArray[np.str_]) -> PointFigures:
    confusion = [[int(((labels == truth) & (called == answer)).sum()) for answer in (0, 1)] for truth in (0, 1)]
    return PointFigures(
        threshold=threshold,
        images=len(labels),
        **{name: statistic(labels, called) for name, statistic in STATISTICS.items()},
        confusion=confusion,
        intervals=bootstrap.intervals(STATISTICS, labels, called, patients, draws=DRAWS),
    )
