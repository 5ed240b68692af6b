"""One training run: from a labelled data set to a folder with the checkpoint and all that led to it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from model import checkpoint, engines, preprocess
from model.card import ARCHITECTURE, Card, TrainingData
from model.engines import Predictor
from model.resnet import GrayResNet
from training import backbone, data, domain, evaluate, features, report, robustness, run_folder, split
from training.config import TrainConfig
from training.data import Dataset
from training.develop import Developed, develop
from training.features import Features
from training.head import Head
from training.progress import StageProgress, stage
from training.version import code_version


@dataclass(frozen=True)
class Inputs:
    """What a run reads. `backbone` None downloads it; `originals`, labelled files at full size, are re-encoded to
    measure robustness, and None leaves that out."""

    source: Path
    backbone: Path | None
    cache: Path
    originals: Path | None = None


@dataclass(frozen=True)
class _Trained:
    dataset: Dataset
    folds: NDArray[np.int64]
    developed: Developed

    @property
    def test(self) -> NDArray[np.bool_]:
        return np.equal(split.parts(self.folds), "test")


def train(inputs: Inputs, out: Path, config: TrainConfig, progress: StageProgress) -> Card:
    """Train, evaluate and write the run folder `out`; returns the new checkpoint's card.

    Raises:
        ConfigurationError: the data set or the backbone cannot be used; the sentence says why.
    """
    out.mkdir(parents=True, exist_ok=True)
    dataset = data.read(inputs.source, stage(progress, "reading images"), for_training=True)
    folds = split.assign_folds(dataset.labels, dataset.patients, config.seed)
    network, backbone_sha256 = backbone.load(inputs.backbone)
    extracted = _features(network, backbone_sha256, dataset, inputs.cache, config, progress)
    trained = _Trained(dataset, folds, develop(extracted, dataset.labels, folds, config.head, config.seed))
    _install(network, trained.developed.head)
    file, card = out / "model.safetensors", _card(config, trained, backbone_sha256)
    # The figures are those of the file itself, float16 weights and all; it is written again with them in its card.
    checkpoint.save(file, network, card)
    predictor = engines.load(file)
    probabilities = evaluate.predict(predictor, dataset.pixels[trained.test], stage(progress, "testing"))
    metrics = _metrics(trained, probabilities, predictor, inputs.originals, progress)
    card = card.model_copy(update={"metrics": metrics})
    checkpoint.save(file, network, card)
    card = domain.add(file, file, dataset, config.seed, stage(progress, "domain statistics"))
    _write(out, card, trained, probabilities)
    return card


def _features(
    network: GrayResNet, sha256: str, dataset: Dataset, cache: Path, config: TrainConfig, progress: StageProgress
) -> Features:
    network.to("cuda" if torch.cuda.is_available() else "cpu")
    key = features.cache_key(sha256, dataset.digest, config.augment, config.seed)
    extracted = features.extract(
        network,
        dataset.pixels,
        config.augment,
        views=config.views,
        seed=config.seed,
        cache=cache / key,
        progress=stage(progress, "extracting features"),
    )
    network.to("cpu")
    return extracted


def _install(network: GrayResNet, head: Head) -> None:
    with torch.no_grad():
        network.body.fc.weight.copy_(torch.from_numpy(head.weight).unsqueeze(0))
        network.body.fc.bias.fill_(head.bias)


def _metrics(
    trained: _Trained,
    probabilities: NDArray[np.float32],
    predictor: Predictor,
    originals: Path | None,
    progress: StageProgress,
) -> dict[str, Any]:
    labels, known = trained.dataset.labels, trained.developed.out_of_fold[0]
    figures = {
        "test": evaluate.measure(labels[trained.test], probabilities, predictor.threshold),
        "out_of_fold": evaluate.measure(labels[~trained.test], known, predictor.threshold),
    }
    metrics: dict[str, Any] = {name: its.model_dump(mode="json") for name, its in figures.items()}
    if originals is not None:
        moved = robustness.measure(predictor, originals, stage(progress, "re-encoding"))
        metrics["recompression"] = moved.model_dump(mode="json")
    return metrics


def _write(out: Path, card: Card, trained: _Trained, probabilities: NDArray[np.float32]) -> None:
    developed = trained.developed
    split.write(out / "split.csv", trained.dataset, trained.folds)
    run_folder.write_json(out / "card.json", card.model_dump(mode="json"))
    run_folder.write_json(out / "metrics.json", card.metrics)
    known = developed.out_of_fold[0]
    run_folder.write_predictions(out / "predictions.csv", trained.dataset, trained.folds, known, probabilities)
    run_folder.plot_confusion(out / "confusion.png", card.metrics["test"]["confusion"])
    run_folder.plot_curves(out / "curves.png", developed.history, developed.best_epoch)


def _card(config: TrainConfig, trained: _Trained, backbone_sha256: str) -> Card:
    dataset, developed = trained.dataset, trained.developed
    parts, counts = np.unique(split.parts(trained.folds), return_counts=True)
    return Card(
        name=config.name,
        architecture=ARCHITECTURE,
        created_at=datetime.now(UTC),
        code_version=code_version(),
        preprocessing=preprocess.DESCRIPTION,
        operating_point=developed.operating_point,
        calibration=developed.calibration,
        training_data=TrainingData(
            source=report.DATA_SOURCE,
            licence=report.DATA_LICENCE,
            images=len(dataset.names),
            patients=len(set(dataset.patients)),
            pneumonia=int(dataset.labels.sum()),
            duplicates_left_out=dataset.duplicates,
            digest=dataset.digest,
        ),
        backbone=f"{report.BACKBONE} (sha256 of the weights {backbone_sha256})",
        split=dict(zip(parts.tolist(), counts.tolist(), strict=True)),
        config={**config.model_dump(mode="json"), "best_epoch": developed.best_epoch},
        metrics={},
        intended_use=report.INTENDED_USE,
        limits=report.LIMITS,
    )
