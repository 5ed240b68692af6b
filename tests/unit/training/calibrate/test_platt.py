"""Platt scaling on distributions whose answer is known, and what it does to a network."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from model import resnet
from model.card import Calibration
from training.calibrate.platt import UNCHANGED, calibrated, fit_platt, fold_into


def test_platt_undoes_a_known_distortion() -> None:
    """Gaussian logits of means -2 and +2 and variance 4 are calibrated at equal shares; scale and shift them."""
    rng = np.random.default_rng(0)
    labels = (rng.random(20_000) < 0.8).astype(np.int64)
    honest = rng.normal(np.where(labels, 2, -2), 2)
    fitted = fit_platt((3 * honest + 1).astype(np.float32)[None], labels)
    assert fitted.slope == pytest.approx(1 / 3, rel=0.05)
    assert fitted.intercept == pytest.approx(-1 / 3, abs=0.08)
    assert fitted.prior == 0.5


def test_calibrated_by_hand() -> None:
    calibration = Calibration(slope=2, intercept=-1, prior=0.5)
    assert calibrated(calibration, np.array([[0.5, 1.0]], np.float32)) == pytest.approx(
        np.array([[0.5, 1 / (1 + np.exp(-1))]])
    )


def test_few_images_keep_the_calibration_near_the_models_own() -> None:
    """The more it is regularised, the smaller is the slope."""
    labels, logits = np.array([0, 0, 1, 0, 1, 1]), np.array([[-2.0, -1, -0.5, 0.5, 1, 2]])
    free, held = fit_platt(logits, labels), fit_platt(logits, labels, inverse_regularization=1.0)
    assert 0 < held.slope < free.slope


def test_unchanged_is_the_logistic_function() -> None:
    logits = np.array([-30.0, -1.5, 0.0, 2.25])
    assert calibrated(UNCHANGED, logits).tolist() == (1 / (1 + np.exp(-logits))).tolist()


def test_folded_into_a_network_it_moves_the_logit() -> None:
    network = resnet.build()
    weight, bias = network.body.fc.weight.clone(), network.body.fc.bias.clone()
    fold_into(network, Calibration(slope=2, intercept=-1, prior=0.5))
    assert torch.equal(network.body.fc.weight, 2 * weight)
    assert torch.equal(network.body.fc.bias, 2 * bias - 1)
