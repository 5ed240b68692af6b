"""Figures of what a model says of labelled images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from sklearn import metrics

from training.data.listing import CLASSES
from training.evaluate import bootstrap
from training.evaluate.bootstrap import Interval, Statistic

BINS = 15
SPECIFICITIES = (0.90, 0.95)


class ClassFigures(BaseModel):
    """Precision, recall and F1 of one class, and how many images it has."""

    model_config = ConfigDict(frozen=True)

    precision: float
    recall: float
    f1: float
    images: int


class Figures(BaseModel):
    """What `measure` finds. `confusion` is [[true normal, false pneumonia], [false normal, true pneumonia]].

    `threshold` is None where each population has its own. `intervals` holds 95 % intervals over patients; it is empty
    where patients are not known.
    """

    model_config = ConfigDict(frozen=True)

    images: int
    threshold: float | None
    accuracy: float
    precision_weighted: float
    recall_weighted: float
    f1_weighted: float
    auc: float
    sensitivity: float
    specificity: float
    sensitivity_at_specificity: dict[str, float]
    brier: float
    calibration_error: float
    per_class: dict[str, ClassFigures]
    confusion: list[list[int]]
    intervals: dict[str, Interval]


def measure(
    labels: NDArray[np.int64],
    probabilities: NDArray[np.floating],
    threshold: float | NDArray[np.floating],
    patients: Sequence[str] | NDArray[np.str_] | None = None,
) -> Figures:
    """Figures of probabilities (n,) against labels (n,), 1 for pneumonia; both classes must occur.

    `threshold` is that of all images, or that of each (n,).
    """
    values = probabilities.astype(np.float64)
    decisions = (values >= threshold).astype(np.int64)
    thresholds = np.unique(threshold)
    report = metrics.classification_report(labels, decisions, target_names=CLASSES, output_dict=True, zero_division=0)
    mean = report["weighted avg"]
    drawn = np.stack([values, decisions], axis=1)
    known = {} if patients is None else bootstrap.intervals(_STATISTICS, labels, drawn, patients)
    return Figures(
        images=len(labels),
        threshold=float(thresholds[0]) if len(thresholds) == 1 else None,
        accuracy=float(report["accuracy"]),
        precision_weighted=mean["precision"],
        recall_weighted=mean["recall"],
        f1_weighted=mean["f1-score"],
        auc=float(metrics.roc_auc_score(labels, values)),
        sensitivity=report["PNEUMONIA"]["recall"],
        specificity=report["NORMAL"]["recall"],
        sensitivity_at_specificity={f"{share:.2f}": sensitivity_at(labels, values, share) for share in SPECIFICITIES},
        brier=float(metrics.brier_score_loss(labels, values)),
        calibration_error=calibration_error(labels, values),
        per_class={name: _class_figures(report[name]) for name in CLASSES},
        confusion=metrics.confusion_matrix(labels, decisions).tolist(),
        intervals=known,
    )


def calibration_error(labels: NDArray[np.int64], probabilities: NDArray[np.float64], bins: int = BINS) -> float:
    """Expected calibration error of the probability of pneumonia: over bins of equal width, the mean distance between
    mean probability and share of pneumonia, each bin weighing as many images as it has.
    """
    number = np.minimum((probabilities * bins).astype(np.int64), bins - 1)
    gaps = np.bincount(number, probabilities - labels, minlength=bins)
    return float(np.abs(gaps).sum() / len(labels))


def sensitivity_at(labels: NDArray[np.int64], probabilities: NDArray[np.float64], specificity: float) -> float:
    """The greatest sensitivity among thresholds with at least that specificity."""
    false_positives, true_positives, _ = metrics.roc_curve(labels, probabilities, drop_intermediate=False)
    return float(true_positives[false_positives <= 1 - specificity + 1e-9].max())


def accuracy(labels: NDArray[np.int64], called: NDArray[np.bool_]) -> float:
    """Return the share of decisions (n,), true for pneumonia, that agree with the labels (n,)."""
    return float(np.mean(called == labels))


def sensitivity(labels: NDArray[np.int64], called: NDArray[np.bool_]) -> float:
    """Return the share of pneumonias that are called so."""
    return float(np.mean(called[labels == 1]))


def specificity(labels: NDArray[np.int64], called: NDArray[np.bool_]) -> float:
    """Return the share of normals that are called so."""
    return float(np.mean(~called[labels == 0]))


_STATISTICS: dict[str, Statistic[np.float64]] = {
    "accuracy": lambda labels, drawn: accuracy(labels, drawn[:, 1] == 1),
    "auc": lambda labels, drawn: float(metrics.roc_auc_score(labels, drawn[:, 0])),
    "sensitivity": lambda labels, drawn: sensitivity(labels, drawn[:, 1] == 1),
    "specificity": lambda labels, drawn: specificity(labels, drawn[:, 1] == 1),
}
"""The figures that get an interval, of probabilities and decisions (n, 2)."""


def _class_figures(row: dict[str, float]) -> ClassFigures:
    images = int(row["support"])
    return ClassFigures(precision=row["precision"], recall=row["recall"], f1=row["f1-score"], images=images)
