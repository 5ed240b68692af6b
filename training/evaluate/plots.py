"""The plots of a run folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from sklearn.metrics import roc_curve

from training.data.listing import CLASSES
from training.evaluate.figures import BINS
from training.history import Epoch

DPI = 150


def confusion(file: Path, matrix: list[list[int]]) -> None:
    """The confusion matrix of the test part, with counts and shares of each true class."""
    counts = np.array(matrix)
    shares = counts / counts.sum(axis=1, keepdims=True)
    figure = Figure(figsize=(4.5, 4), layout="constrained")
    axes = figure.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(counts):
        share = shares[row, column]
        axes.text(column, row, f"{count}\n{share:.1%}", ha="center", va="center", color="w" if share > 0.5 else "k")
    axes.set(xticks=(0, 1), yticks=(0, 1), xticklabels=CLASSES, yticklabels=CLASSES)
    axes.set(xlabel="called", ylabel="is", title=f"Test part, {counts.sum()} images")
    figure.savefig(file, dpi=DPI, bbox_inches="tight")  # else the label at the left is cut


def curves(file: Path, history: list[Epoch], best_epoch: int) -> None:
    """Losses, area under the ROC curve and learning rate by epoch, of the run with early stopping."""
    figure = Figure(figsize=(6, 8), layout="constrained")
    loss, area, rate = figure.subplots(3, sharex=True)
    epochs = range(1, len(history) + 1)
    loss.plot(epochs, [epoch.train_loss for epoch in history], "o-", label="train, distorted")
    loss.plot(epochs, [epoch.validation_loss for epoch in history], "o-", label="validation")
    loss.set(ylabel="class-balanced cross-entropy")
    area.plot(epochs, [epoch.validation_auc for epoch in history], "o-", label="validation")
    area.set(ylabel="area under the ROC curve")
    rate.plot(epochs, [epoch.learning_rate for epoch in history], "o-", label="at the end of the epoch")
    rate.set(ylabel="learning rate", xlabel="epoch")
    for axes in (loss, area, rate):
        axes.axvline(best_epoch, color="gray", linestyle=":", label=f"early stopping settled on {best_epoch}")
        _mark_sizes(axes, history)
        axes.legend()
    figure.savefig(file, dpi=DPI)


def _mark_sizes(axes: Axes, history: list[Epoch]) -> None:
    """Shade every other resolution."""
    sizes = [epoch.size_px for epoch in history]
    starts = [0, *(index for index in range(1, len(sizes)) if sizes[index] != sizes[index - 1]), len(sizes)]
    for start, end in zip(starts[1:-1:2], starts[2::2], strict=False):
        axes.axvspan(start + 0.5, end + 0.5, color="tab:blue", alpha=0.08)


def roc(
    file: Path,
    sets: dict[str, tuple[NDArray[np.int64], NDArray[np.floating]]],
    thresholds: dict[str, float | NDArray[np.floating]],
) -> None:
    """The upper left quarter of the ROC curve of each set of (labels, probabilities), and the operating point on it.

    `thresholds` has that of each set, or one for each of its images, whose decisions may then lie off the curve.
    """
    figure = Figure(figsize=(5, 5), layout="constrained")
    axes = figure.subplots()
    for name, (labels, probabilities) in sets.items():
        false_positives, true_positives, _ = roc_curve(labels, probabilities)
        (line,) = axes.plot(false_positives, true_positives, label=name)
        called = probabilities >= thresholds[name]
        point = [np.mean(called[labels == label]) for label in (0, 1)]
        axes.plot(*point, "o", color=line.get_color())
    axes.set(xlim=(-0.01, 0.5), ylim=(0.5, 1.01), xlabel="1 - specificity", ylabel="sensitivity")
    axes.set_title("dots: operating point")
    axes.legend(loc="lower right")
    figure.savefig(file, dpi=DPI)


def reliability(file: Path, sets: dict[str, tuple[NDArray[np.int64], NDArray[np.floating]]]) -> None:
    """Share of pneumonia against mean probability in bins of equal width, and how many images are in each."""
    figure = Figure(figsize=(5, 6), layout="constrained")
    axes, below = figure.subplots(2, height_ratios=(3, 1), sharex=True)
    axes.plot((0, 1), (0, 1), color="gray", linestyle=":")
    for name, (labels, probabilities) in sets.items():
        number = np.minimum((probabilities * BINS).astype(np.int64), BINS - 1)
        images = np.bincount(number, minlength=BINS)
        filled = images > 0
        means = np.bincount(number, probabilities, minlength=BINS)[filled] / images[filled]
        shares = np.bincount(number, labels, minlength=BINS)[filled] / images[filled]
        axes.plot(means, shares, "o-", label=name)
        below.stairs(images, np.linspace(0, 1, BINS + 1))
    axes.set(ylabel="share of pneumonia")
    axes.legend(loc="upper left")
    below.set(xlabel="probability of pneumonia", ylabel="images", yscale="log")
    figure.savefig(file, dpi=DPI)


def balance(file: Path, labels: NDArray[np.int64], parts: NDArray[np.str_]) -> None:
    """How many images of each class each part has."""
    figure = Figure(figsize=(5, 3.5), layout="constrained")
    axes = figure.subplots()
    names = [str(name) for name in ("train", "validation", "test")]
    for label, title in enumerate(CLASSES):
        counts = [int(np.sum((parts == name) & (labels == label))) for name in names]
        bars = axes.bar(np.arange(len(names)) + 0.4 * label, counts, width=0.4, label=title)
        axes.bar_label(bars)
    axes.set(xticks=np.arange(len(names)) + 0.2, xticklabels=names, ylabel="images")
    axes.legend()
    figure.savefig(file, dpi=DPI)
