"""`python -m benchmarks.clues DATA`: how well tone and sharpness alone tell the training classes apart.

DATA holds `chest_xray_224.tar` and `originals`. A linear model on each clue alone, fitted on the training part and
measured on the validation part, which holds other patients; the width over height of the original files by class.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console
from rich.table import Table
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from training.augment import restyle
from training.bars import Bars
from training.data import split
from training.data.dataset import read_dataset
from training.data.listing import CLASSES
from training.progress import stage

FINE = 40
"""Rings of the spectrum from here on hold details finer than about six pixels of 224."""


def area(clue: NDArray[np.float32], labels: NDArray[np.int64], parts: NDArray[np.str_]) -> float:
    """Area under the ROC curve of a linear model on the clue (n, k)."""
    train, validation = parts == "train", parts == "validation"
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, class_weight="balanced", max_iter=2000))
    scores = model.fit(clue[train], labels[train]).decision_function(clue[validation])
    return float(roc_auc_score(labels[validation], scores))


def aspects(folder: Path) -> list[float]:
    """Width over height of each file."""
    sizes = [Image.open(file).size for file in sorted(folder.iterdir())]
    return [width / height for width, height in sizes]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.clues", description=__doc__)
    parser.add_argument("data", type=Path, help="the folder that holds both")
    folder = parser.parse_args().data
    with Bars() as bars:
        dataset = read_dataset([folder / "chest_xray_224.tar"], stage(bars.update, "reading images"), for_training=True)
    parts = split.parts(split.assign_folds(dataset.labels, dataset.patients, seed=0))
    styles = restyle.styles(dataset.pixels, dataset.labels)
    spectra, grays = styles.spectra.numpy(), np.diff(styles.tones.numpy()[:, ::8], axis=1)
    table = Table("clue", "AUC, other patients")
    table.add_row(
        f"power of the spectrum, {FINE} cycles a side and finer",
        f"{area(spectra[:, FINE:], dataset.labels, parts):.3f}",
    )
    table.add_row("shares of gray values", f"{area(grays, dataset.labels, parts):.3f}")
    Console().print(table)
    for name in CLASSES:
        ratios = aspects(folder / "originals" / name)
        print(f"{name}: {len(ratios)} original files are on average {np.mean(ratios):.2f} times as wide as high")


if __name__ == "__main__":
    main()
