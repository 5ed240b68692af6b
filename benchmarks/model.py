"""`python -m benchmarks.model DATA [--before FILE]`: the model's figures that the documents quote.

DATA holds `chest_xray_224.tar`, `originals`, `adult_chest` and `not_chest`. Four tables: images of held-out patients
as they are, coarse, and crossed (training/augment/restyle.py); the same originals re-encoded; what each set is called;
and whether files at full size and their 224 px copies are judged alike.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from imaging import preprocess
from model import loaded
from model.decision import Prediction
from model.loaded import LoadedModel
from model.registry import DEFAULT
from training.augment import restyle
from training.augment.distort import degrade
from training.bars import Bars
from training.config import DEFAULT_CONFIG, load_config
from training.data import split
from training.data.dataset import Dataset, read_dataset
from training.data.sources import items
from training.evaluate import figures, localisation, robustness
from training.progress import stage

BATCH = 32
SETS = ("originals", "adult_chest", "not_chest")


def clues(models: dict[str, LoadedModel], dataset: Dataset, held_out: NDArray[np.bool_]) -> Table:
    """Figures of held-out patients' images where the recording tells the truth, nothing, or a lie about the class."""
    pixels, labels = dataset.pixels[held_out], dataset.labels[held_out]
    field = load_config(DEFAULT_CONFIG).distort.restyle.field
    crossed = restyle.crossed(pixels, labels, field, seed=0)
    normals = (labels == 0)[:, None, None]
    views = {
        "as they are": pixels,
        "coarse": degrade(pixels, seed=0),
        "normals crossed": np.where(normals, crossed, pixels),
        "both crossed": crossed,
    }
    table = Table("model", "images", "AUC", "sensitivity", "specificity", "calibration error")
    for name, model in models.items():
        for view, copies in views.items():
            predicted = localisation.predict(model, copies)
            measured = figures.measure(labels, predicted.probabilities, predicted.thresholds)
            shown = (measured.auc, measured.sensitivity, measured.specificity, measured.calibration_error)
            table.add_row(name, f"{view} ({len(labels)})", *(f"{value:.3f}" for value in shown))
    return table


def compression(models: dict[str, LoadedModel], originals: Path) -> Table:
    """Mean absolute change of probability at each JPEG quality."""
    table = Table("model", *map(str, robustness.QUALITIES), "logit, mean", "decisions changed")
    for name, model in models.items():
        measured = robustness.measure(model, originals)
        changes = [f"{measured.by_quality[quality]:.3f}" for quality in robustness.QUALITIES]
        table.add_row(name, *changes, f"{measured.mean_absolute_logit_change:.3f}", f"{measured.decisions_changed:.1%}")
    return table


def judge(model: LoadedModel, images: list[NDArray[np.uint8]]) -> list[tuple[Prediction, str]]:
    """Prediction and decision of each preprocessed image."""
    batches = (np.stack(images[start : start + BATCH]) for start in range(0, len(images), BATCH))
    predictions = [prediction for batch in batches for prediction in model.predict(batch)]
    return [(prediction, model.decide(prediction).decision) for prediction in predictions]


def decisions(models: dict[str, LoadedModel], folder: Path) -> Table:
    """How many images of each folder are called what."""
    table = Table("model", "folder", "images", "normal", "pneumonia", "refused")
    for name, model in models.items():
        for kind in SETS:
            for label, images in _folders(folder / kind):
                called = [decision for _, decision in judge(model, images)]
                counts = [str(called.count(decision)) for decision in ("normal", "pneumonia", "refused")]
                table.add_row(name, f"{kind} {label}".strip(), str(len(images)), *counts)
    return table


def parity(models: dict[str, LoadedModel], originals: Path, dataset: Dataset) -> Table:
    """Files at full size against the 224 px copies of the same images."""
    small = {PurePosixPath(name).name: pixels for name, pixels in zip(dataset.names, dataset.pixels, strict=True)}
    full = {PurePosixPath(item.name).name: preprocess.read(item.load()) for item in items(originals)}
    names = sorted(small.keys() & full.keys())
    table = Table("model", "images", "mean change of probability", "median", "largest", "decisions changed")
    for name, model in models.items():
        ours = judge(model, [full[file] for file in names]), judge(model, [small[file] for file in names])
        change = [abs(a.probability - b.probability) for (a, _), (b, _) in zip(*ours, strict=True)]
        changed = sum(a != b for (_, a), (_, b) in zip(*ours, strict=True))
        shown = (f"{value:.3f}" for value in (np.mean(change), np.median(change), np.max(change)))
        table.add_row(name, str(len(names)), *shown, str(changed))
    return table


def _folders(folder: Path) -> Iterator[tuple[str, list[NDArray[np.uint8]]]]:
    """Name and preprocessed images of a folder, or of those in it."""
    inner = sorted(path for path in folder.iterdir() if path.is_dir())
    for path in inner or [folder]:
        files = sorted(file for file in path.iterdir() if file.is_file())
        yield path.name if inner else "", [preprocess.read(file.read_bytes()) for file in files]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.model", description=__doc__)
    parser.add_argument("data", type=Path, help="the folder that holds the four sets")
    parser.add_argument("--model", type=Path, default=DEFAULT, help="checkpoint; default: the shipped one")
    parser.add_argument("--before", type=Path, help="another checkpoint to compare with")
    parser.add_argument("--seed", type=int, default=0, help="of the split, as the model was trained with")
    arguments = parser.parse_args()
    files = {"before": arguments.before, "model": arguments.model}
    models = {name: loaded.load(file) for name, file in files.items() if file is not None}
    with Bars() as bars:
        archive = arguments.data / "chest_xray_224.tar"
        dataset = read_dataset([archive], stage(bars.update, "reading images"), for_training=True)
    held_out = split.parts(split.assign_folds(dataset.labels, dataset.patients, arguments.seed)) == "test"
    console = Console(width=120)
    console.print(clues(models, dataset, held_out))
    console.print(compression(models, arguments.data / "originals"))
    console.print(decisions(models, arguments.data))
    console.print(parity(models, arguments.data / "originals", dataset))


if __name__ == "__main__":
    main()
