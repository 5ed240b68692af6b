"""The files of a run folder beside the checkpoint: figures, predictions and plots."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from training import split
from training.data import CLASSES, Dataset
from training.head import Epoch


def write_json(file: Path, values: dict[str, Any]) -> None:
    file.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")


def write_predictions(
    file: Path,
    dataset: Dataset,
    folds: NDArray[np.int64],
    out_of_fold: NDArray[np.float64],
    test: NDArray[np.float32],
) -> None:
    """One line an image: of the test part the final model's probability, of the others the out-of-fold one."""
    parts = split.parts(folds)
    probabilities = np.empty(len(parts))
    probabilities[parts == "test"] = test
    probabilities[parts != "test"] = out_of_fold
    with file.open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out)
        writer.writerow(["name", "part", "label", "probability"])
        for name, part, label, value in zip(dataset.names, parts, dataset.labels, probabilities, strict=True):
            writer.writerow([name, part, CLASSES[label], f"{value:.6f}"])


def plot_confusion(file: Path, confusion: list[list[int]]) -> None:
    """The confusion matrix of the test part, with counts and shares of each true class."""
    counts = np.array(confusion)
    shares = counts / counts.sum(axis=1, keepdims=True)
    figure = Figure(figsize=(4.5, 4), layout="constrained")
    axes = figure.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(counts):
        share = shares[row, column]
        axes.text(column, row, f"{count}\n{share:.1%}", ha="center", va="center", color="w" if share > 0.5 else "k")
    axes.set(xticks=(0, 1), yticks=(0, 1), xticklabels=CLASSES, yticklabels=CLASSES)
    axes.set(xlabel="called", ylabel="is", title=f"Test part, {counts.sum()} images")
    figure.savefig(file, dpi=150)


def plot_curves(file: Path, history: list[Epoch], best_epoch: int) -> None:
    """Losses of the training and the validation part by epoch."""
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    epochs = range(1, len(history) + 1)
    axes.plot(epochs, [epoch.train_loss for epoch in history], label="train (with dropout)")
    axes.plot(epochs, [epoch.validation_loss for epoch in history], label="validation")
    axes.axvline(best_epoch, color="gray", linestyle=":", label=f"best epoch, {best_epoch}")
    axes.set(xlabel="epoch", ylabel="class-balanced cross-entropy")
    axes.legend()
    figure.savefig(file, dpi=150)
