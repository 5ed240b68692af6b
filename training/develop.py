"""From features to a calibrated head: early stopping, out-of-fold predictions, calibration, refit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.card import Calibration, OperatingPoint
from training import calibrate, split
from training.config import HeadConfig
from training.features import Features
from training.head import Epoch, Fold, Head, fit


@dataclass(frozen=True)
class Developed:
    """A calibrated head and how it came about.

    `out_of_fold` holds calibrated probabilities (1 + views, n) of the training and validation images, in their
    order, each from a head fitted without that image's fold.
    """

    head: Head
    calibration: Calibration
    operating_point: OperatingPoint
    history: list[Epoch]
    best_epoch: int
    out_of_fold: NDArray[np.float64]


def develop(
    features: Features, labels: NDArray[np.int64], folds: NDArray[np.int64], config: HeadConfig, seed: int
) -> Developed:
    """Fit on features (1 + views, n, 512); the test part is not looked at.

    The training part with early stopping on the validation part settles the number of epochs. Out-of-fold heads
    of that many epochs settle calibration and operating point. The head that is kept is fitted on both parts.
    """
    part = split.parts(folds)
    stopped = fit(
        _select(features, labels, part == "train"),
        config,
        seed,
        validation=_select(features, labels, part == "validation"),
    )
    known = part != "test"
    both = _select(features, labels, known)
    logits = calibrate.out_of_fold(both, folds[known], config, epochs=stopped.best_epoch, seed=seed)
    calibration = calibrate.fit_platt(logits, both.labels)
    probabilities = calibrate.apply(calibration, logits)
    final = fit(both, config, seed, epochs=stopped.best_epoch)
    return Developed(
        head=final.head.calibrated(calibration.slope, calibration.intercept),
        calibration=calibration,
        operating_point=calibrate.choose_threshold(probabilities, both.labels),
        history=stopped.history,
        best_epoch=stopped.best_epoch,
        out_of_fold=probabilities,
    )


def _select(features: Features, labels: NDArray[np.int64], members: NDArray[np.bool_]) -> Fold:
    return Fold(features[:, members], labels[members])
