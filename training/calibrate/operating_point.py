"""The operating point, from predictions of networks that never saw the patient."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_curve

from model.card import OperatingPoint

_ON = (
    "on patient-grouped out-of-fold predictions of the training and validation parts, of the images as they are "
    "and of changed copies alike."
)
BALANCED = f"Maximises balanced accuracy (the mean of sensitivity and specificity) {_ON}"
SENSITIVE = f"The highest threshold that finds {{share:.1%}} of pneumonias {_ON}"


def choose_threshold(
    probabilities: NDArray[np.float64], labels: NDArray[np.int64], sensitivity: float | None = None
) -> OperatingPoint:
    """The operating point of calibrated probabilities (views, n), rounded to three digits.

    It is where balanced accuracy is greatest, or, with a `sensitivity` asked for, the highest threshold that reaches
    it. Where a range of thresholds does equally well, its middle is taken, so that rounding cannot matter.
    """
    flat, repeated = probabilities.ravel(), np.tile(labels, len(probabilities))
    false_positives, true_positives, thresholds = roc_curve(repeated, flat, drop_intermediate=False)
    # The first threshold is infinite and calls nothing pneumonia; the last calls everything so, and does as well.
    if sensitivity is None:
        best, rule = 1 + int(np.argmax((true_positives - false_positives)[1:])), BALANCED
    else:
        best, rule = int(np.argmax(true_positives >= sensitivity)), SENSITIVE.format(share=sensitivity)
    below = flat[flat < thresholds[best]]
    middle = (thresholds[best] + (below.max() if len(below) else 0.0)) / 2
    return OperatingPoint(threshold=round(float(middle), 3), rule=rule)
