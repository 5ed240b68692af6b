"""A 70:20:10 split into train, validation and test that keeps each patient in one part."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

from core.errors import InvalidInput
from training.data.dataset import Dataset
from training.data.listing import CLASSES

FOLDS = 10
PARTS = ("train",) * 7 + ("validation",) * 2 + ("test",)
"""The part that each of the ten folds belongs to."""


def assign_folds(
    labels: NDArray[np.int64], patients: Sequence[str], seed: int, sources: Sequence[str] = ()
) -> NDArray[np.int64]:
    """A fold 0..9 for each image: each has about the same share of both classes, of every source, and no patient is in
    two.

    Raises:
        InvalidInput: a class has fewer than ten patients.
    """
    for label, name in enumerate(CLASSES):
        count = len({patient for patient, actual in zip(patients, labels, strict=True) if actual == label})
        if count < FOLDS:
            raise InvalidInput(f"{name} has {count} patients; a grouped split needs at least {FOLDS}.")
    folds = np.empty(len(labels), dtype=np.int64)
    splitter = StratifiedGroupKFold(n_splits=FOLDS, shuffle=True, random_state=seed)
    for fold, (_, members) in enumerate(splitter.split(labels, _strata(labels, sources), patients)):
        folds[members] = fold
    return folds


def _strata(labels: NDArray[np.int64], sources: Sequence[str]) -> NDArray[np.int64]:
    """A number for each class of each source (n,)."""
    numbers = np.unique(np.array(sources), return_inverse=True)[1] if sources else np.zeros_like(labels)
    strata: NDArray[np.int64] = 2 * numbers + labels
    return strata


def parts(folds: NDArray[np.int64]) -> NDArray[np.str_]:
    """`train`, `validation` or `test` for each fold."""
    return np.array(PARTS)[folds]


def write(file: Path, data: Dataset, folds: NDArray[np.int64]) -> None:
    """Write the split as CSV, one line an image."""
    with file.open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out)
        writer.writerow(["name", "patient", "label", "fold", "part"])
        rows = zip(data.names, data.patients, data.labels.tolist(), folds.tolist(), parts(folds), strict=True)
        writer.writerows((name, patient, CLASSES[label], fold, part) for name, patient, label, fold, part in rows)
