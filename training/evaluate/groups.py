"""Figures of parts of a data set: by source, by view, by age."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from sklearn.metrics import roc_auc_score

from core.populations import of_age
from training.data.dataset import Dataset

AGE_BANDS_YEARS = (0, 6, 18, 40, 65, 131)


class GroupFigures(BaseModel):
    """Of a group's images; None where it has none of the class that a figure needs."""

    model_config = ConfigDict(frozen=True)

    normal: int
    pneumonia: int
    auc: float | None
    sensitivity: float | None
    specificity: float | None


def measure(
    labels: NDArray[np.int64], probabilities: NDArray[np.floating], threshold: float | NDArray[np.floating]
) -> GroupFigures:
    """Figures of probabilities (n,) against labels (n,), 1 for pneumonia."""
    called, sick = probabilities >= threshold, labels == 1
    normal, pneumonia = int((~sick).sum()), int(sick.sum())
    return GroupFigures(
        normal=normal,
        pneumonia=pneumonia,
        auc=float(roc_auc_score(labels, probabilities)) if normal and pneumonia else None,
        sensitivity=float(called[sick].mean()) if pneumonia else None,
        specificity=float((~called[~sick]).mean()) if normal else None,
    )


def measured(
    labels: NDArray[np.int64],
    probabilities: NDArray[np.floating],
    threshold: float | NDArray[np.floating],
    names: Mapping[str, Sequence[str]],
) -> dict[str, dict[str, GroupFigures]]:
    """`names` gives each image's group by kind, such as source; empty where it is not known, which makes no group.

    `threshold` is that of all images, or that of each (n,).

    Kinds in which all images are of one group are left out: they tell nothing.
    """
    thresholds = np.broadcast_to(threshold, probabilities.shape)
    result: dict[str, dict[str, GroupFigures]] = {}
    for kind, of_images in names.items():
        groups = np.array(of_images)
        known = sorted({name for name in groups.tolist() if name})
        if len(known) > 1:
            result[kind] = {
                name: measure(labels[groups == name], probabilities[groups == name], thresholds[groups == name])
                for name in known
            }
    return result


def names(dataset: Dataset, populations: Mapping[str, str]) -> dict[str, list[str]]:
    """Each image's population, source, view and age band; `populations` is that of each source."""
    return {
        "population": by_population(dataset, populations),
        "source": dataset.sources,
        "view": dataset.views,
        "age": [_band(age) for age in dataset.ages_years.tolist()],
    }


def by_population(dataset: Dataset, populations: Mapping[str, str]) -> list[str]:
    """Each image's population by age or, where that is not known, what `populations` says of its source, if it does."""
    return [
        populations.get(source, "") if np.isnan(age_years) else str(of_age(age_years))
        for age_years, source in zip(dataset.ages_years.tolist(), dataset.sources, strict=True)
    ]


def _band(age_years: float) -> str:
    if np.isnan(age_years):
        return ""
    number = int(np.searchsorted(AGE_BANDS_YEARS, age_years, side="right"))
    low, high = AGE_BANDS_YEARS[number - 1], AGE_BANDS_YEARS[number] - 1
    return f"{low:02d} to {high} years"
