"""How much a recipe's figures vary from seed to seed."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.calibrate.operating_point import choose_threshold
from training.calibrate.platt import calibrated, fit_platt
from training.evaluate import figures

FIGURES = ("auc", "accuracy", "sensitivity", "specificity", "calibration_error")


def spread(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> dict[str, Any]:
    """Each figure by seed, with mean and standard deviation, from raw out-of-fold logits (seeds, n).

    Every seed is calibrated, and gets an operating point, on its own predictions, as if it were the model.
    """
    measured = [_figures(row, labels) for row in logits]
    by_figure = {name: [getattr(of_seed, name) for of_seed in measured] for name in FIGURES}
    return {
        name: {"each": values, "mean": float(np.mean(values)), "sd": float(np.std(values, ddof=1))}
        for name, values in by_figure.items()
    }


def _figures(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> figures.Figures:
    probabilities = calibrated(fit_platt(logits[None], labels), logits[None])
    return figures.measure(labels, probabilities[0], choose_threshold(probabilities, labels).threshold)
