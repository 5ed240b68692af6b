"""Fine-tuned networks: one with early stopping, those for out-of-fold predictions, and the one that is kept."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.resnet import GrayResNet
from training.augment.distort import DistortConfig
from training.augment.loader import LabelledImages
from training.data import split
from training.finetune.schedule import FinetuneConfig
from training.finetune.soup_trainer import Logits, Soup, SoupTrainer
from training.history import Epoch


@dataclass(frozen=True)
class Networks:
    """The network of all known images, and raw logits (views, n) of those images, from networks that saw none of the
    same patient: of the images as they are, of coarse copies, of turned or cropped ones and, where training restyles,
    of crossed ones; `views` names them as the card does.

    Each network is the mean of `seeds` that differ in their seed alone, those for out-of-fold predictions of
    `oof_seeds`; `by_seed` (oof_seeds, n) are logits of these alone, of the images as they are. `history` is that of the
    run with early stopping.
    """

    final: GrayResNet
    views: tuple[str, ...]
    out_of_fold: NDArray[np.float32]
    by_seed: NDArray[np.float32]
    history: list[Epoch]
    best_epoch: int


@dataclass(frozen=True)
class OutOfFold:
    """What `out_of_fold` gives: rows as in `Networks`, but (k, n) of all images, NaN in the test part; how early
    stopping went.
    """

    views: tuple[str, ...]
    logits: NDArray[np.float32]
    by_seed: NDArray[np.float32]
    history: list[Epoch]
    best_epoch: int


def cache_key(
    backbone_sha256: str, data_digest: str, finetune: FinetuneConfig, distort: DistortConfig, seed: int
) -> str:
    """What the networks depend on, as 16 hex digits; further seeds and background processes change none of them."""
    settings = finetune.model_dump_json(exclude={"workers", "seeds", "oof_seeds"})
    parts = [backbone_sha256, data_digest, settings, distort.model_dump_json(), str(seed)]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def groups(folds: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """The out-of-fold group (n,) of each image by its fold: 0 for the validation part, 1 and more share the training
    part's folds, -1 for the test part.
    """
    parts = split.parts(folds)
    learning = np.unique(folds[parts == "train"])
    result = np.full(len(folds), -1, dtype=np.int64)
    result[parts == "validation"] = 0
    for group, members in enumerate(np.array_split(learning, count - 1), 1):
        result[np.isin(folds, members)] = group
    return result


def develop(trainer: SoupTrainer, data: LabelledImages, folds: NDArray[np.int64], count: int) -> Networks:
    """Train networks of `count` groups for out-of-fold predictions, and one on all but the test part, which is not
    used. The last trains for the number of epochs on which the one with early stopping settled.
    """
    predicted = out_of_fold(trainer, data, folds, count)
    known = groups(folds, count) >= 0
    final = trainer.train("final", data.select(known), epochs=predicted.best_epoch)
    rows = predicted.logits[:, known], predicted.by_seed[:, known]
    return Networks(final.network, predicted.views, *rows, predicted.history, predicted.best_epoch)


def stopped_early(trainer: SoupTrainer, data: LabelledImages, group: NDArray[np.int64]) -> Soup:
    """The network of the training part, which stops early on the validation part; it predicts what it has not seen."""
    return trainer.out_of_fold().train("group0", data.select(group > 0), data.select(group == 0))


def out_of_fold(trainer: SoupTrainer, data: LabelledImages, folds: NDArray[np.int64], count: int) -> OutOfFold:
    """Train a network for each of `count` groups (`groups`) on the others, and let it predict the group.

    That of the first group stops early on it. The others train for the number of epochs it settled on.
    """
    group = groups(folds, count)
    oof, stopped = trainer.out_of_fold(), stopped_early(trainer, data, group)
    parts: list[Logits] = [oof.logits("group0", stopped, data.select(group == 0))]
    for number in range(1, count):
        name, learning = f"group{number}", data.select((group >= 0) & (group != number))
        soup = oof.train(name, learning, None, stopped.best_epoch)
        parts.append(oof.logits(name, soup, data.select(group == number)))
    views = tuple(parts[0].by_view)
    logits = _in_order([np.stack([*part.by_view.values()]) for part in parts], group)
    by_seed = _in_order([part.by_seed for part in parts], group)
    return OutOfFold(views, logits, by_seed, stopped.history, stopped.best_epoch)


def _in_order(parts: list[NDArray[np.float32]], group: NDArray[np.int64]) -> NDArray[np.float32]:
    """Rows (k, n) of all images from those of each group."""
    rows = np.full((len(parts[0]), len(group)), np.nan, dtype=np.float32)
    for number, part in enumerate(parts):
        rows[:, group == number] = part
    return rows
