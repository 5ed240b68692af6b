"""Figures of cross-validation over seeds, by group of images: mean, standard deviation, interval over patients."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from sklearn.metrics import roc_auc_score

from training.data.dataset import Dataset
from training.evaluate import bootstrap, groups
from training.evaluate.bootstrap import Interval
from training.holdout.predictions import Floats, Unseen

PROBABILITY, CALLED = 0, 1
"""Places in the last axis of what all seeds have seen."""

Measure = Callable[[NDArray[np.int64], Floats], float]
"""A figure of labels (m,) and what one seed says of these images (m, 2)."""


class Figure(BaseModel):
    """By seed, and their mean. `sd`, over seeds, needs two of them. `interval`, of the mean, is over patients, at 95 %.

    A seed whose predicted images lack a class that the figure needs has None.
    """

    model_config = ConfigDict(frozen=True)

    each: list[float | None]
    mean: float
    sd: float | None
    interval: Interval | None


class GroupSummary(BaseModel):
    """Of a group's images that were predicted; a figure is None where a class that it needs is missing."""

    model_config = ConfigDict(frozen=True)

    normal: int
    pneumonia: int
    auc: Figure | None
    sensitivity: Figure | None
    specificity: Figure | None


class Summary(BaseModel):
    """What a configuration reaches on patients that it did not learn from, or on the source `held_out`, by group."""

    model_config = ConfigDict(frozen=True)

    config: str
    held_out: str | None
    seeds: list[int]
    groups: dict[str, GroupSummary]


def by_group(dataset: Dataset, populations: Mapping[str, str], runs: Sequence[Unseen]) -> dict[str, GroupSummary]:
    """Figures of all images that were predicted, and of each population, source, view and age among them.

    Each of `runs` has another seed; `populations` is as in `training.evaluate.groups.names`.
    """
    seen = np.stack([np.stack([run.probabilities, run.called], axis=1) for run in runs], axis=1)
    predicted = np.isfinite(seen[..., PROBABILITY]).any(1)
    patients = np.array(dataset.patients)
    members = {"all": predicted}
    for kind, of_images in groups.names(dataset, populations).items():
        named = np.array(of_images)
        members |= {f"{kind} {name}": (named == name) & predicted for name in np.unique(named[predicted]) if name}
    return {name: summarise(dataset.labels[who], seen[who], patients[who]) for name, who in members.items()}


def summarise(labels: NDArray[np.int64], seen: Floats, patients: NDArray[np.str_]) -> GroupSummary:
    """Figures of what the seeds have seen (n, seeds, 2) against labels (n,), 1 for pneumonia; NaN is not predicted."""
    means = {name: partial(_mean, measure) for name, measure in _MEASURES.items()}
    both = 0 < labels.mean() < 1
    intervals = bootstrap.intervals(means, labels, seen, patients) if both else {}
    figures = {name: _figure(_each(measure, labels, seen), intervals.get(name)) for name, measure in _MEASURES.items()}
    return GroupSummary(normal=int((labels == 0).sum()), pneumonia=int((labels == 1).sum()), **figures)


def _figure(each: list[float], interval: Interval | None) -> Figure | None:
    known = [value for value in each if not math.isnan(value)]
    if not known:
        return None
    return Figure(
        each=[None if math.isnan(value) else value for value in each],
        mean=float(np.mean(known)),
        sd=float(np.std(known, ddof=1)) if len(known) > 1 else None,
        interval=None if interval is None or math.isnan(sum(interval)) else interval,
    )


def _mean(measure: Measure, labels: NDArray[np.int64], seen: Floats) -> float:
    """Over the seeds that have the figure; NaN if none has."""
    known = [value for value in _each(measure, labels, seen) if not math.isnan(value)]
    return float(np.mean(known)) if known else math.nan


def _each(measure: Measure, labels: NDArray[np.int64], seen: Floats) -> list[float]:
    """The figure of each seed, of the images that it predicted."""
    predicted = np.isfinite(seen[..., PROBABILITY]).T
    return [measure(labels[of_seed], seen[of_seed, seed]) for seed, of_seed in enumerate(predicted)]


def _auc(labels: NDArray[np.int64], said: Floats) -> float:
    return float(roc_auc_score(labels, said[:, PROBABILITY])) if 0 < labels.sum() < len(labels) else math.nan


def _sensitivity(labels: NDArray[np.int64], said: Floats) -> float:
    sick = labels == 1
    return float(said[sick, CALLED].mean()) if sick.any() else math.nan


def _specificity(labels: NDArray[np.int64], said: Floats) -> float:
    healthy = labels == 0
    return float(1 - said[healthy, CALLED].mean()) if healthy.any() else math.nan


_MEASURES: dict[str, Measure] = {"auc": _auc, "sensitivity": _sensitivity, "specificity": _specificity}
