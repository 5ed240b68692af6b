"""From training images to a calibrated network, by one of two methods; the test part is not used."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from model.card import Calibration, OperatingPoint
from model.resnet import GrayResNet
from training.augment.loader import LabelledImages
from training.calibrate import population_points
from training.calibrate.operating_point import choose_threshold
from training.calibrate.platt import calibrated, fit_platt, fold_into
from training.calibrate.population_points import Points, Scores
from training.config import TrainConfig
from training.data import split
from training.data.dataset import Dataset
from training.finetune import networks
from training.finetune.soup_trainer import SoupTrainer
from training.frozen import features, fit
from training.history import Epoch
from training.lungs import teacher
from training.lungs.network import LungNetwork
from training.progress import StageProgress, stage


@dataclass(frozen=True)
class Source:
    """What a network is developed from: ImageNet's weights, their sha256, images, and the fold (n,) and the population
    (n,) of each, empty where it is not known.
    """

    backbone: GrayResNet
    backbone_sha256: str
    dataset: Dataset
    folds: NDArray[np.int64]

    populations: NDArray[np.str_]

    @property
    def known(self) -> NDArray[np.bool_]:
        """Which images belong to the training and validation parts."""
        return np.not_equal(split.parts(self.folds), "test")


@dataclass(frozen=True)
class Uncalibrated:
    """An uncalibrated network; raw logits (views, n) of the training and validation images, in their order, each from
    a network that was fitted without the image's patient; and how early stopping went.

    `views` names the rows, as the card does; `by_seed` (seeds, n) are such logits of the images as they are, from
    networks that differ in their seed alone.
    """

    network: GrayResNet
    views: tuple[str, ...]
    out_of_fold: NDArray[np.float32]
    by_seed: NDArray[np.float32]
    history: list[Epoch]
    best_epoch: int
    lungs: LungNetwork | None = None


@dataclass(frozen=True)
class Calibrated:
    """A calibrated network and how it came about; `out_of_fold` holds calibrated probabilities (views, n), and
    `thresholds` (n,) the operating point of each image. `points` has what is each population's own, and is empty where
    all images are judged alike. `lungs` is what the network's map learned from, where it did.
    """

    network: GrayResNet
    calibration: Calibration
    operating_point: OperatingPoint
    history: list[Epoch]
    best_epoch: int
    views: tuple[str, ...]
    out_of_fold: NDArray[np.float64]
    thresholds: NDArray[np.float64]
    points: Points
    by_seed: NDArray[np.float32]
    lungs: LungNetwork | None = None


def develop(source: Source, config: TrainConfig, cache: Path, progress: StageProgress) -> Calibrated:
    """Train, then calibrate and choose the operating point on the out-of-fold predictions.

    `cache` keeps what is costly, so that an interrupted run goes on and a second one of the same method is quick.
    """
    raw = (_frozen if config.method == "frozen" else _finetuned)(source, config, cache, progress)
    labels, populations = source.dataset.labels[source.known], source.populations[source.known]
    calibration = fit_platt(raw.out_of_fold, labels)
    common = choose_threshold(calibrated(calibration, raw.out_of_fold), labels, config.sensitivity)
    fold_into(raw.network, calibration)
    scores = Scores(
        logits=calibration.slope * raw.out_of_fold.astype(np.float64) + calibration.intercept,
        labels=labels,
        patients=np.array(source.dataset.patients)[source.known],
        validation=np.equal(split.parts(source.folds)[source.known], "validation"),
    )
    points = population_points.fit(scores, populations, common, config.sensitivity)
    probabilities, thresholds = population_points.applied(scores, populations, common, points)
    return Calibrated(
        network=raw.network,
        calibration=calibration,
        operating_point=common,
        history=raw.history,
        best_epoch=raw.best_epoch,
        views=raw.views,
        out_of_fold=probabilities,
        thresholds=thresholds,
        points=points,
        by_seed=raw.by_seed,
        lungs=raw.lungs,
    )


def _frozen(source: Source, config: TrainConfig, cache: Path, progress: StageProgress) -> Uncalibrated:
    network, dataset = source.backbone, source.dataset
    network.to("cuda" if torch.cuda.is_available() else "cpu")
    key = features.cache_key(source.backbone_sha256, dataset.digest, config.augment, config.seed)
    extracted = features.extract(
        network,
        dataset.pixels,
        config.augment,
        views=config.views,
        seed=config.seed,
        cache=cache / key,
        progress=stage(progress, "extracting features"),
    )
    heads = fit.develop(extracted, dataset.labels, source.folds, config.head, config.seed)
    with torch.no_grad():
        network.to("cpu").body.fc.weight.copy_(torch.from_numpy(heads.head.weight).unsqueeze(0))
        network.body.fc.bias.fill_(heads.head.bias)
    views = ("out_of_fold", *("out_of_fold_copies",) * config.views)
    return Uncalibrated(network, views, heads.out_of_fold, heads.out_of_fold[:1], heads.history, heads.best_epoch)


def prepared(
    source: Source, config: TrainConfig, cache: Path, progress: StageProgress
) -> tuple[SoupTrainer, LabelledImages]:
    """The trainer of a run's networks, which it keeps in a folder in `cache`, and the images that they learn from."""
    dataset = source.dataset
    data = LabelledImages.of(dataset, config.data.same_as)
    key = networks.cache_key(source.backbone_sha256, data.digest, config.finetune, config.distort, config.seed)
    lungs = None
    if config.finetune.lungs_weight > 0:
        known, clear = dataset.pixels[source.known], dataset.labels[source.known] == 0
        lungs = teacher.load_or_learn(cache / key / "lungs.safetensors", known, clear, config.seed, progress)
    trainer = SoupTrainer(cache / key, source.backbone, config.finetune, config.distort, config.seed, progress, lungs)
    return trainer, data


def _finetuned(source: Source, config: TrainConfig, cache: Path, progress: StageProgress) -> Uncalibrated:
    trainer, data = prepared(source, config, cache, progress)
    made = networks.develop(trainer, data, source.folds, config.finetune.oof_groups)
    return Uncalibrated(
        made.final, made.views, made.out_of_fold, made.by_seed, made.history, made.best_epoch, trainer.lungs
    )
