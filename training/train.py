"""One training run: from a labelled data set to a folder with the checkpoint and all that led to it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imaging.transform import EQUALISED, PREPROCESSING
from model import checkpoint, loaded
from model.card import ARCHITECTURE, Card, TrainingData
from model.loaded import LoadedModel
from training import backbone, run_folder
from training.calibrate import gate, ood, population_head
from training.calibrate.gate_sets import by_source
from training.config import DEFAULT_CONFIG, TrainConfig, load_config
from training.data import split
from training.data.dataset import read_dataset
from training.develop import Calibrated, Source, develop
from training.evaluate import figures, groups, localisation, robustness, seeds
from training.evaluate.localisation import Predicted
from training.lungs import fit
from training.lungs.network import LungNetwork
from training.progress import StageProgress, stage
from training.release import model_card, provenance, quantize
from training.release.version import code_version


@dataclass(frozen=True)
class Inputs:
    """What a run reads: one or several sets of labelled images. `backbone` None downloads it; `originals`, labelled
    files at full size, are re-encoded to measure robustness, and None leaves that out. From `not_frontal`, folders of
    what is no frontal chest X-ray, the gate learns what to refuse; None leaves the gate out."""

    sets: tuple[Path, ...]
    backbone: Path | None
    cache: Path
    originals: Path | None = None
    not_frontal: Path | None = None


def train_model(inputs: Inputs, out: Path, config: TrainConfig, progress: StageProgress) -> Card:
    """Train, evaluate and write the run folder `out`; returns the new checkpoint's card.

    Raises:
        InvalidInput: the data set or the backbone cannot be used; the sentence says why.
    """
    out.mkdir(parents=True, exist_ok=True)
    dataset = read_dataset(inputs.sets, stage(progress, "reading images"), for_training=True)
    told = provenance.described(config.data.provenance, dataset.sources)  # before hours of training
    folds = split.assign_folds(dataset.labels, dataset.patients, config.seed, dataset.sources)
    populations = np.array(groups.by_population(dataset, config.data.populations))
    source = Source(*backbone.load(inputs.backbone, equalised=config.equalised), dataset, folds, populations)
    developed = develop(source, config, inputs.cache, progress)
    file, card = out / "model.safetensors", _card(config, source, developed, told, _command(inputs, config))
    # The figures are those of the file itself, float16 weights and all; it is written again with them in its card.
    checkpoint.save(file, developed.network, card)
    if developed.points:
        learning = np.where(source.known, populations, "")  # what the test part shows is left for measuring
        telling = stage(progress, "populations")
        population_head.add_populations(file, file, dataset, learning, developed.points, config.seed, telling)
    model = loaded.load(file)
    test = localisation.predict(model, dataset.pixels[~source.known], stage(progress, "testing"))
    metrics = _metrics(source, developed, test)
    if by_group := _by_group(source, config, developed, test):
        metrics["groups"] = by_group
    if developed.lungs is not None:
        metrics["map"] = _of_the_map(source, developed.lungs, test)
    if inputs.originals is not None:
        metrics["recompression"] = _recompression(model, inputs.originals, progress)
    original = checkpoint.load(file)
    checkpoint.save_again(file, original, original.card.model_copy(update={"metrics": metrics}))
    ood.add_ood_statistics(file, file, dataset, config.seed, stage(progress, "domain statistics"))
    if inputs.not_frontal is not None:
        gate.add_gate(file, file, by_source(dataset), inputs.not_frontal, config.seed, stage(progress, "gate"))
    card = quantize.add_quantization(file, file, dataset, config.seed, progress)
    results = run_folder.Results(
        dataset,
        folds,
        developed.out_of_fold[0],
        developed.thresholds,
        test.probabilities,
        test.thresholds,
        developed.history,
        developed.best_epoch,
    )
    run_folder.write(out, card, results)
    return card


def _metrics(source: Source, developed: Calibrated, test: Predicted) -> dict[str, dict[str, Any]]:
    """Figures of the test part, out of fold of each view, and seed by seed."""
    labels, known = source.dataset.labels, source.known
    patients: NDArray[np.str_] = np.array(source.dataset.patients)
    measured = {"test": figures.measure(labels[~known], test.probabilities, test.thresholds, patients[~known])}
    for view in dict.fromkeys(developed.views):
        rows = developed.out_of_fold[np.array(developed.views) == view]
        repeated = np.tile(labels[known], len(rows)), np.tile(patients[known], len(rows))
        thresholds = np.tile(developed.thresholds, len(rows))
        measured[view] = figures.measure(repeated[0], rows.ravel(), thresholds, repeated[1])
    metrics = {name: values.model_dump(mode="json") for name, values in measured.items()}
    if len(developed.by_seed) > 1:
        metrics["seeds"] = seeds.spread(developed.by_seed, labels[known])
    return metrics


def _by_group(source: Source, config: TrainConfig, developed: Calibrated, test: Predicted) -> dict[str, Any]:
    """Figures by population, source, view and age: of the test part, and out of fold; empty where nothing is told."""
    names = groups.names(source.dataset, config.data.populations)
    result = {}
    for part, members, probabilities, thresholds in (
        ("test", ~source.known, test.probabilities, test.thresholds),
        ("out_of_fold", source.known, developed.out_of_fold[0], developed.thresholds),
    ):
        of_part = {kind: np.array(of_images)[members].tolist() for kind, of_images in names.items()}
        by_kind = groups.measured(source.dataset.labels[members], probabilities, thresholds, of_part)
        if by_kind:
            result[part] = {
                kind: {name: figures.model_dump(mode="json") for name, figures in by_name.items()}
                for kind, by_name in by_kind.items()
            }
    return result


def _of_the_map(source: Source, lungs: LungNetwork, test: Predicted) -> dict[str, Any]:
    """Where the maps of the test part point, by outcome; the page of an image tells it."""
    labels = source.dataset.labels[~source.known]
    at = fit.predict(lungs, source.dataset.pixels[~source.known])
    called = test.probabilities >= test.thresholds
    by_outcome = localisation.by_outcome(test.cams, at, labels, called, test.thresholds)
    return {name: of_maps.model_dump(mode="json") for name, of_maps in by_outcome.items()}


def _recompression(model: LoadedModel, originals: Path, progress: StageProgress) -> dict[str, Any]:
    return robustness.measure(model, originals, stage(progress, "re-encoding")).model_dump(mode="json")


def _command(inputs: Inputs, config: TrainConfig) -> str:
    """Return the command that makes this checkpoint again, without the paths of the machine that made it."""
    shipped = config == load_config(DEFAULT_CONFIG, config.seed)
    chosen = "" if shipped else " --config CONFIG"
    others = "" if inputs.not_frontal is None else f" --not-frontal {inputs.not_frontal.name}"
    sets = " ".join(path.name for path in inputs.sets)
    return f"pneumoscreen train {sets} --out RUN{chosen}{others} --seed {config.seed}"


def _card(config: TrainConfig, source: Source, developed: Calibrated, told: dict[str, str], command: str) -> Card:
    dataset = source.dataset
    parts, counts = np.unique(split.parts(source.folds), return_counts=True)
    return Card(
        name=config.name,
        architecture=ARCHITECTURE,
        created_at=datetime.now(UTC),
        code_version=code_version(),
        preprocessing=EQUALISED if config.equalised else PREPROCESSING,
        operating_point=developed.operating_point,
        calibration=developed.calibration,
        training_data=TrainingData(
            **told,
            images=len(dataset.names),
            patients=len(set(dataset.patients)),
            pneumonia=int(dataset.labels.sum()),
            duplicates_left_out=dataset.duplicates,
            digest=dataset.digest,
        ),
        backbone=f"{model_card.BACKBONE} (sha256 of the weights {source.backbone_sha256})",
        split=dict(zip(parts.tolist(), counts.tolist(), strict=True)),
        config={**config.recorded(), "best_epoch": developed.best_epoch, "command": command},
        metrics={},
        intended_use=model_card.INTENDED_USE,
        limits=(config.data.trained_on or model_card.LIMITS[0], *model_card.LIMITS[1:]),
    )
