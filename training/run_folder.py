"""The files of a run folder beside the checkpoint: figures, predictions and plots."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.card import Card
from training.data import split
from training.data.dataset import Dataset
from training.data.listing import CLASSES
from training.evaluate import plots
from training.history import Epoch


@dataclass(frozen=True)
class Results:
    """What a run measured: `out_of_fold` (k,) are probabilities of the training and validation parts' images as they
    are, `test` (m,) those of the test part by the final model; with the threshold that applies to each image.
    """

    dataset: Dataset
    folds: NDArray[np.int64]
    out_of_fold: NDArray[np.float64]
    out_of_fold_thresholds: NDArray[np.float64]
    test: NDArray[np.float32]
    test_thresholds: NDArray[np.float64]
    history: list[Epoch]
    best_epoch: int


def write(out: Path, card: Card, results: Results) -> None:
    """Write everything beside the checkpoint."""
    parts = split.parts(results.folds)
    labels, known = results.dataset.labels, parts != "test"
    sets: dict[str, tuple[NDArray[np.int64], NDArray[np.floating]]] = {
        "out of fold": (labels[known], results.out_of_fold),
        "test part": (labels[~known], results.test),
    }
    split.write(out / "split.csv", results.dataset, results.folds)
    write_json(out / "card.json", card.model_dump(mode="json"))
    write_json(out / "metrics.json", card.metrics)
    write_predictions(out / "predictions.csv", results)
    plots.confusion(out / "confusion.png", card.metrics["test"]["confusion"])
    plots.curves(out / "curves.png", results.history, results.best_epoch)
    thresholds: dict[str, float | NDArray[np.floating]] = {
        "out of fold": results.out_of_fold_thresholds,
        "test part": results.test_thresholds,
    }
    plots.roc(out / "roc.png", sets, thresholds)
    plots.reliability(out / "reliability.png", sets)
    plots.balance(out / "balance.png", labels, parts)


def write_json(file: Path, values: dict[str, Any]) -> None:
    file.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")


def write_predictions(file: Path, results: Results) -> None:
    """One line an image: of the test part the final model's probability, of the others the out-of-fold one."""
    parts = split.parts(results.folds)
    probabilities, thresholds = np.empty(len(parts)), np.empty(len(parts))
    probabilities[parts == "test"] = results.test
    probabilities[parts != "test"] = results.out_of_fold
    thresholds[parts == "test"] = results.test_thresholds
    thresholds[parts != "test"] = results.out_of_fold_thresholds
    with file.open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out)
        writer.writerow(["name", "part", "label", "probability", "threshold"])
        rows = zip(results.dataset.names, parts, results.dataset.labels, probabilities, thresholds, strict=True)
        writer.writerows(
            (name, part, CLASSES[label], f"{value:.6f}", f"{at:g}") for name, part, label, value, at in rows
        )
