"""Heads on features: the test part is not looked at, and no head predicts what it saw."""

from __future__ import annotations

import numpy as np

from training.frozen import fit
from training.frozen.head import Fold, HeadConfig

CONFIG = HeadConfig(max_epochs=15, batch_size=16, learning_rate=0.05, dropout=0)
FOLDS = np.arange(120) % 10
LABELS = np.random.default_rng(0).integers(0, 2, 120)


def make_features(labels: np.ndarray) -> np.ndarray:
    """Two views whose first 64 features are the labels."""
    features = np.random.default_rng(1).normal(0, 0.1, (2, len(labels), 512)).astype(np.float32)
    features[..., :64] += labels[:, None]
    return features


def test_out_of_fold_never_sees_its_own_fold() -> None:
    """A feature that marks one fold, with labels turned round in it: predictions there must be wrong."""
    folds = np.arange(120) % 3
    features = make_features(np.where(folds == 0, 1 - LABELS, LABELS))
    logits = fit.out_of_fold(Fold(features, LABELS), folds, CONFIG, epochs=15, seed=0)
    assert logits.shape == (2, 120)
    assert ((logits > 0) == LABELS)[:, folds == 0].mean() < 0.2


def test_develop_leaves_the_test_part_alone() -> None:
    features = make_features(LABELS)
    found = fit.develop(features, LABELS, FOLDS, CONFIG, 0)
    spoilt = features.copy()
    spoilt[:, FOLDS == 9] = 1e3
    again = fit.develop(spoilt, LABELS, FOLDS, CONFIG, 0)
    assert found.out_of_fold.shape == (2, 108)
    assert np.array_equal(found.head.weight, again.head.weight)
    assert ((found.out_of_fold > 0) == LABELS[FOLDS != 9]).mean() > 0.95
    assert 1 <= found.best_epoch <= len(found.history)
