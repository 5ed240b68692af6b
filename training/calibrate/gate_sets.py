"""Sets of frontal chest X-rays as the gate takes them: one for each source, for they count alike."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from training.calibrate.gate_examples import Frontal
from training.data.dataset import Dataset


def by_source(dataset: Dataset) -> list[Frontal]:
    """The images of each source as a set of their own."""
    sources: list[str] = list(dict.fromkeys(dataset.sources))
    return [_of(dataset, source) for source in sources]


def _of(dataset: Dataset, source: str) -> Frontal:
    members = np.flatnonzero(np.array(dataset.sources) == source)
    part = replace(
        dataset,
        names=[dataset.names[member] for member in members],
        patients=[dataset.patients[member] for member in members],
        labels=dataset.labels[members],
        causes=dataset.causes[members],
        pixels=dataset.pixels[members],
        sources=[source] * len(members),
        views=[dataset.views[member] for member in members],
        ages_years=dataset.ages_years[members],
    )
    return Frontal(source, part, [view.lower() for view in part.views])
