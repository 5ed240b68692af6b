"""Calibrated predictions of images that neither a network, nor its calibration, nor its operating point has seen."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.calibrate.operating_point import choose_threshold
from training.calibrate.platt import calibrated, fit_platt
from training.config import TrainConfig
from training.data.dataset import Dataset
from training.develop import Source, prepared
from training.finetune import networks
from training.progress import StageProgress

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Unseen:
    """Of n images the probability of pneumonia (n,), and 1 where it reaches the threshold, else 0 (n,). Both are NaN
    for an image that was not predicted.
    """

    probabilities: Floats
    called: Floats

    @classmethod
    def nothing(cls, count: int) -> Unseen:
        """Of so many images, none of them predicted yet."""
        return cls(np.full(count, np.nan), np.full(count, np.nan))

    def put(self, members: NDArray[np.bool_], said: Unseen) -> None:
        """Take over what was said of `members` (n,), in their order."""
        self.probabilities[members], self.called[members] = said.probabilities, said.called


def of_patients(source: Source, config: TrainConfig, cache: Path, progress: StageProgress) -> Unseen:
    """What networks say of patients that they have not seen: all but the test part, which is left alone.

    These are the out-of-fold networks that `train` makes, and the same files in `cache`. Each group is calibrated on
    the other groups' predictions.
    """
    trainer, data = prepared(source, config, cache, progress)
    count = config.finetune.oof_groups
    logits = networks.out_of_fold(trainer, data, source.folds, count).logits
    group = networks.groups(source.folds, count)
    unseen = Unseen.nothing(len(group))
    for number in range(count):
        members, others = group == number, (group >= 0) & (group != number)
        known, labels = logits[:, others], data.labels[others]
        unseen.put(members, _judge(logits[0, members], known, labels, config.sensitivity))
    return unseen


def of_source(rest: Source, others: Dataset, config: TrainConfig, cache: Path, progress: StageProgress) -> Unseen:
    """What a network of `rest` says of `others`, images of a source that is not in it.

    It is the network that `train` on `rest` makes with early stopping, and the same file in `cache`. It is calibrated
    on its validation part.
    """
    trainer, data = prepared(rest, config, cache, progress)
    group = networks.groups(rest.folds, config.finetune.oof_groups)
    validation = data.select(group == 0)
    stopped, oof = networks.stopped_early(trainer, data, group), trainer.out_of_fold()
    known = np.stack([*oof.logits("group0", stopped, validation).by_view.values()])
    logits = oof.plain_logits(f"source-{others.digest[:16]}", stopped, others.pixels)
    return _judge(logits, known, validation.labels, config.sensitivity)


def _judge(
    logits: NDArray[np.float32], known: NDArray[np.float32], labels: NDArray[np.int64], sensitivity: float | None
) -> Unseen:
    """Judge raw logits (n,) with the calibration and the threshold that suit `known` logits (views, m)."""
    calibration = fit_platt(known, labels)
    threshold = choose_threshold(calibrated(calibration, known), labels, sensitivity).threshold
    probabilities = calibrated(calibration, logits)
    return Unseen(probabilities, (probabilities >= threshold).astype(np.float64))
