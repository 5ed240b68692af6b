"""Platt scaling: a line through the logits that makes them calibrated ones, and a part of the network's last layer."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from model.card import Calibration
from model.resnet import GrayResNet

PRIOR = 0.5
"""Calibrated for as many pneumonias as normals: how frequent pneumonia is where images come from is unknown."""

UNCHANGED = Calibration(slope=1.0, intercept=0.0, prior=PRIOR)


def fit_platt(
    logits: NDArray[np.floating], labels: NDArray[np.int64], *, inverse_regularization: float = np.inf
) -> Calibration:
    """Fit a line to logits (views, n) of images with labels (n,), where both classes weigh the same.

    `inverse_regularization` is scikit-learn's C: the less there is to fit on, the smaller it should be.
    """
    model = LogisticRegression(C=inverse_regularization, class_weight="balanced")
    model.fit(logits.reshape(-1, 1), np.tile(labels, len(logits)))
    return Calibration(slope=float(model.coef_[0, 0]), intercept=float(model.intercept_[0]), prior=PRIOR)


def calibrated(calibration: Calibration, logits: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the calibrated probabilities of raw logits."""
    return np.asarray(1 / (1 + np.exp(-(calibration.slope * logits.astype(np.float64) + calibration.intercept))))


def fold_into(network: GrayResNet, calibration: Calibration) -> None:
    """Change the last layer so that the network's own logit is the calibrated one."""
    with torch.no_grad():
        network.body.fc.weight.mul_(calibration.slope)
        network.body.fc.bias.mul_(calibration.slope).add_(calibration.intercept)
