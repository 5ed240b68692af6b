"""`pneumoscreen evaluate`: a model's figures on labelled images."""

from __future__ import annotations

from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from cli import catalog
from core import settings
from model import loaded

if TYPE_CHECKING:
    from training.evaluate.figures import Figures
    from training.evaluate.groups import GroupFigures
    from training.evaluate.localisation import MapFigures

_WITH_INTERVALS = ("accuracy", "auc", "sensitivity", "specificity")
_PLAIN = ("precision_weighted", "recall_weighted", "f1_weighted", "brier", "calibration_error")
_OF_THE_MAP = {
    "inside": "positive mass inside the lungs",
    "area": "lungs' share of the image",
    "peak_inside": "peak inside the lungs",
    "positive": "cells that are positive",
    "shown": "maps that the page shows",
    "tinted": "share of the image that it tints",
}


def evaluate(
    data: Annotated[
        list[Path],
        typer.Argument(help="Folders with NORMAL and PNEUMONIA, .tar or .zip of such, or CSVs of path,label."),
    ],
    model: Annotated[str | None, typer.Option(help="Name or sha256 of a model; default: the active one.")] = None,
    lungs: Annotated[
        Path | None, typer.Option(help="Masks that `pneumoscreen lungs` made; also measures where the map points.")
    ] = None,
    json: Annotated[Path | None, typer.Option(help="Also write the figures to this file.")] = None,
) -> None:
    """Measure a model through the same decoding, preprocessing and network as in screening."""
    from training.bars import Bars
    from training.data.dataset import read_dataset
    from training.evaluate import groups, localisation
    from training.evaluate.figures import measure
    from training.lungs import masks
    from training.progress import stage

    configured = settings.load()
    with catalog.checkpoint(configured, model or "") as entry:
        loaded_model = loaded.load(entry, configured.worker.engine)
    with Bars() as bars:
        dataset = read_dataset(data, stage(bars.update, "reading images"), for_training=False)
        at = masks.read(lungs).of(dataset.names) if lungs else None
        predicted = localisation.predict(loaded_model, dataset.pixels, stage(bars.update, "predicting"))
    probabilities, thresholds = predicted.probabilities, predicted.thresholds
    figures = measure(dataset.labels, probabilities, thresholds, dataset.patients)
    Console().print(_table(entry.name, figures))
    written = figures.model_dump(mode="json")
    if by_kind := groups.measured(dataset.labels, probabilities, thresholds, groups.names(dataset, {})):
        Console().print(_group_table(by_kind))
        written["groups"] = {
            kind: {name: of_group.model_dump(mode="json") for name, of_group in by_name.items()}
            for kind, by_name in by_kind.items()
        }
    if at is not None:
        by_outcome = localisation.by_outcome(
            predicted.cams, at, dataset.labels, probabilities >= thresholds, thresholds
        )
        Console().print(_map_table(by_outcome))
        written["map"] = {name: of_group.model_dump(mode="json") for name, of_group in by_outcome.items()}
    if json:
        json.write_text(dumps(written, indent=2) + "\n", encoding="utf-8")


def _group_table(by_kind: dict[str, dict[str, GroupFigures]]) -> Table:
    table = Table("group", "normal", "pneumonia", "AUC", "sensitivity", "specificity")
    for kind, by_name in by_kind.items():
        for name, figures in by_name.items():
            values = (figures.auc, figures.sensitivity, figures.specificity)
            cells = ("none" if value is None else f"{value:.3f}" for value in values)
            table.add_row(f"{kind} {name}", str(figures.normal), str(figures.pneumonia), *cells)
    return table


def _map_table(by_outcome: dict[str, MapFigures]) -> Table:
    table = Table("the map", *(f"{name} ({figures.images})" for name, figures in by_outcome.items()))
    for key, words in _OF_THE_MAP.items():
        values = [getattr(figures, key) for figures in by_outcome.values()]
        table.add_row(words, *("none" if value is None else f"{value:.3f}" for value in values))
    return table


def _table(name: str, figures: Figures) -> Table:
    point = "a threshold by population" if figures.threshold is None else f"threshold {figures.threshold:g}"
    title = f"{name}: {figures.images} images, {point}"
    table = Table("figure", "value", "95 % interval", title=title)
    for key in _WITH_INTERVALS:
        low, high = figures.intervals[key]
        table.add_row(key, f"{getattr(figures, key):.4f}", f"{low:.4f} to {high:.4f}")
    for key in _PLAIN:
        table.add_row(key.replace("_", " "), f"{getattr(figures, key):.4f}")
    for share, value in figures.sensitivity_at_specificity.items():
        table.add_row(f"sensitivity at specificity {share}", f"{value:.4f}")
    for label, row in figures.per_class.items():
        table.add_row(f"{label} precision, recall, F1", f"{row.precision:.4f}, {row.recall:.4f}, {row.f1:.4f}")
    for label, row_counts in zip(figures.per_class, figures.confusion, strict=True):
        table.add_row(f"{label} called normal, pneumonia", ", ".join(map(str, row_counts)))
    return table
