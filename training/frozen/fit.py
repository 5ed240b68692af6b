"""From features of the frozen backbone to a head: early stopping, out-of-fold predictions, refit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.data import split
from training.frozen.features import Features
from training.frozen.head import Fold, Head, HeadConfig, fit
from training.history import Epoch


@dataclass(frozen=True)
class Heads:
    """The head of all known images, and raw logits (1 + views, n) of those images, in their order, each from a head
    fitted without that image's fold. `history` is that of the run with early stopping.
    """

    head: Head
    out_of_fold: NDArray[np.float32]
    history: list[Epoch]
    best_epoch: int


def develop(
    features: Features, labels: NDArray[np.int64], folds: NDArray[np.int64], config: HeadConfig, seed: int
) -> Heads:
    """Fit on features (1 + views, n, 512); the test part is not used.

    The training part with early stopping on the validation part settles the number of epochs. The heads for
    out-of-fold predictions, and the one that is kept, fitted on both parts, take that many.
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
    return Heads(
        head=fit(both, config, seed, epochs=stopped.best_epoch).head,
        out_of_fold=out_of_fold(both, folds[known], config, epochs=stopped.best_epoch, seed=seed),
        history=stopped.history,
        best_epoch=stopped.best_epoch,
    )


def out_of_fold(
    data: Fold, folds: NDArray[np.int64], config: HeadConfig, *, epochs: int, seed: int
) -> NDArray[np.float32]:
    """Logits (views, n) where each image's head was fitted without its own fold of `folds` (n,)."""
    logits = np.empty(data.features.shape[:2], dtype=np.float32)
    for fold in np.unique(folds):
        held_out = folds == fold
        rest = Fold(data.features[:, ~held_out], data.labels[~held_out])
        logits[:, held_out] = fit(rest, config, seed, epochs=epochs).head.logits(data.features[:, held_out])
    return logits


def _select(features: Features, labels: NDArray[np.int64], members: NDArray[np.bool_]) -> Fold:
    return Fold(features[:, members], labels[members])
