"""95 % intervals by drawing patients, not images, with replacement: images of one child go together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

DRAWS = 1000
LEVEL = 0.95

T = TypeVar("T", bound=np.generic)

Statistic = Callable[[NDArray[np.int64], NDArray[T]], float]
"""A figure of labels (n,) and of what a model said (n,): probabilities, or decisions."""
Interval = tuple[float, float]


def intervals(
    statistics: Mapping[str, Statistic[T]],
    labels: NDArray[np.int64],
    predictions: NDArray[T],
    patients: Sequence[str] | NDArray[np.str_],
    *,
    draws: int = DRAWS,
    seed: int = 0,
) -> dict[str, Interval]:
    """Return the percentile interval of each figure.

    Draws without both classes are left out. The same seed gives the same intervals.

    Raises:
        ValueError: no draw had both classes.
    """
    members = _members(patients)
    rng = np.random.default_rng(seed)
    values: dict[str, list[float]] = {name: [] for name in statistics}
    for _ in range(draws):
        chosen = np.concatenate([members[index] for index in rng.integers(len(members), size=len(members))])
        if 0 < labels[chosen].mean() < 1:
            for name, statistic in statistics.items():
                values[name].append(statistic(labels[chosen], predictions[chosen]))
    if not all(values.values()):
        raise ValueError("no draw had images of both classes")
    tail = (1 - LEVEL) / 2
    return {name: _ends(drawn, tail) for name, drawn in values.items()}


def _members(patients: Sequence[str] | NDArray[np.str_]) -> list[NDArray[np.int64]]:
    """Indices of each patient's images."""
    _, patient = np.unique(np.asarray(patients), return_inverse=True)
    order = np.argsort(patient, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(patient[order])) + 1)


def _ends(values: list[float], tail: float) -> Interval:
    low, high = np.quantile(values, [tail, 1 - tail])
    return float(low), float(high)
