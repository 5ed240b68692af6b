"""The head learns what is linear, stops early, and folds its standardisation into its weights."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from training.frozen import head
from training.frozen.head import Fold, HeadConfig
from training.loss import balanced_loss

CONFIG = HeadConfig(max_epochs=30, patience_epochs=3, batch_size=32, learning_rate=0.02, dropout=0)


def make_fold(seed: int, count: int = 200, share: float = 0.5) -> Fold:
    """Two views of 512 features of odd scale; the first 64 tell the classes apart."""
    rng = np.random.default_rng(seed)
    labels = (rng.random(count) < share).astype(np.int64)
    features = rng.normal(5, 3, (2, count, 512)).astype(np.float32)
    features[..., :64] += 3 * labels[:, None]
    return Fold(features, labels)


def accuracy(fitted: head.Fitted, fold: Fold) -> float:
    return float(((fitted.head.logits(fold.features) > 0) == fold.labels).mean())


def test_learns() -> None:
    fitted = head.fit(make_fold(0), CONFIG, 0, validation=make_fold(1))
    assert accuracy(fitted, make_fold(2)) > 0.9
    assert fitted.history[fitted.best_epoch - 1].validation_loss < fitted.history[0].validation_loss


def test_stops_early_and_keeps_the_best() -> None:
    noise = Fold(make_fold(0).features, np.random.default_rng(9).integers(0, 2, 200))
    fitted = head.fit(noise, CONFIG, 0, validation=make_fold(1))
    losses = [epoch.validation_loss for epoch in fitted.history]
    assert len(losses) == fitted.best_epoch + CONFIG.patience_epochs
    assert losses[fitted.best_epoch - 1] == min(losses)
    validation = make_fold(1)
    assert balanced_loss(fitted.head.logits(validation.features), validation.labels) == pytest.approx(
        min(losses), abs=1e-4
    )


def test_without_validation_runs_all_epochs() -> None:
    fitted = head.fit(make_fold(0), CONFIG, 0, epochs=4)
    assert (len(fitted.history), fitted.best_epoch) == (4, 4)
    assert math.isnan(fitted.history[0].validation_loss)


def test_same_seed_same_head() -> None:
    first, again, other = (head.fit(make_fold(0), CONFIG, seed, epochs=2).head for seed in (0, 0, 1))
    assert np.array_equal(first.weight, again.weight)
    assert not np.array_equal(first.weight, other.weight)


def test_rare_class_weighs_as_much() -> None:
    fold = make_fold(0, count=600, share=0.05)
    fitted = head.fit(fold, CONFIG, 0, epochs=20)
    recall = (fitted.head.logits(fold.features) > 0)[:, fold.labels == 1].mean()
    assert recall > 0.95


@pytest.fixture(autouse=True)
def _own_generator() -> None:
    torch.manual_seed(123)
