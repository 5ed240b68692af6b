"""Sets of frontal chest X-rays as the gate takes them: a data set, and the view of each image where it is known."""

from __future__ import annotations

import csv
from pathlib import Path

from training.calibrate.gate_examples import Frontal
from training.data.dataset import read_dataset
from training.progress import Progress, silent

VIEWS = {"pa", "ap"}


def read_frontal(source: Path, progress: Progress = silent) -> Frontal:
    """Read a data set as training does; its views stand in the column `view` of a CSV, PA or AP.

    Raises:
        InvalidInput: what `training.data.dataset.read_dataset` raises.
    """
    dataset = read_dataset(source, progress, for_training=True)
    view_of = _views(source) if source.suffix.lower() == ".csv" else {}
    return Frontal(source.stem, dataset, [view_of.get(name, "") for name in dataset.names])


def _views(source: Path) -> dict[str, str]:
    with source.open(newline="", encoding="utf-8-sig") as file:
        named = [(row["path"], (row.get("view") or "").strip().lower()) for row in csv.DictReader(file)]
    return {name: view for name, view in named if view in VIEWS}
