"""No patient is in two parts, the parts are 70:20:10 and alike, and a seed gives the same split again."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import InvalidInput
from tests.unit.training.synthetic import make_dataset
from training.data import split


def _cohort(sizes: list[int], seed: int) -> tuple[np.ndarray, list[str]]:
    """One patient for each size, with as many images; every other patient has pneumonia."""
    patients = [f"p{number}" for number, size in enumerate(sizes) for _ in range(size)]
    labels = np.array([number % 2 for number, size in enumerate(sizes) for _ in range(size)], dtype=np.int64)
    order = np.random.default_rng(seed).permutation(len(labels))
    return labels[order], [patients[index] for index in order]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 6), min_size=24, max_size=80), st.integers(0, 1000))
def test_no_patient_is_in_two_parts(sizes: list[int], seed: int) -> None:
    labels, patients = _cohort(sizes, seed)
    folds = split.assign_folds(labels, patients, seed)
    parts_of: dict[str, set[str]] = {}
    for patient, part in zip(patients, split.parts(folds).tolist(), strict=True):
        parts_of.setdefault(patient, set()).add(part)
    assert all(len(parts) == 1 for parts in parts_of.values())
    assert set(folds.tolist()) <= set(range(split.FOLDS))


def test_shares_and_strata() -> None:
    labels, patients = _cohort([1, 2, 3, 2] * 100, 0)
    parts = split.parts(split.assign_folds(labels, patients, 0))
    for part, share in [("train", 0.7), ("validation", 0.2), ("test", 0.1)]:
        assert np.mean(parts == part) == pytest.approx(share, abs=0.02)
        assert labels[parts == part].mean() == pytest.approx(labels.mean(), abs=0.03)


def test_seed_decides() -> None:
    labels, patients = _cohort([2] * 60, 0)
    first = split.assign_folds(labels, patients, 1)
    assert np.array_equal(split.assign_folds(labels, patients, 1), first)
    assert not np.array_equal(split.assign_folds(labels, patients, 2), first)


def test_too_few_patients() -> None:
    labels, patients = _cohort([5] * 12, 0)
    with pytest.raises(InvalidInput, match="NORMAL has 6 patients"):
        split.assign_folds(labels, patients, 0)


def test_file(tmp_path: Path) -> None:
    dataset = make_dataset([0, 1], ["a", "b"])
    split.write(tmp_path / "split.csv", dataset, np.array([0, 9]))
    with (tmp_path / "split.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows == [
        ["name", "patient", "label", "fold", "part"],
        ["0.png", "a", "NORMAL", "0", "train"],
        ["1.png", "b", "PNEUMONIA", "9", "test"],
    ]
