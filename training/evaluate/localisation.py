"""Where a model's map points: how much of its evidence lies inside the lungs."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from imaging.cam import Map, points, tint
from model.loaded import LoadedModel
from training.batches import in_batches
from training.progress import Progress, silent

VISIBLE = 0.05
"""Tint, of the strongest 1, that is seen on the page."""


class Predicted(NamedTuple):
    """Of N images: probabilities (N,), the operating point that applies to each (N,), and maps (N, 7, 7)."""

    probabilities: NDArray[np.float32]
    thresholds: NDArray[np.float64]
    cams: NDArray[np.float16]


class MapFigures(BaseModel):
    """Means over images, but for `tinted`, which is a median.

    Attributes:
        area: share of the image that is lung: what `inside` would be by chance.
        inside: share of the map's positive mass that lies in the lungs; None where no map has any.
        peak_inside: share of images whose strongest cell is mostly lung.
        positive: share of cells that speak for pneumonia.
        shown: share of images whose map the page offers, because it points.
        tinted: share of the image that the page tints.
    """

    model_config = ConfigDict(frozen=True)

    images: int
    area: float
    inside: float | None
    peak_inside: float
    positive: float
    shown: float
    tinted: float


def measure(
    cams: NDArray[np.floating], lungs: NDArray[np.float32], threshold: float | NDArray[np.floating]
) -> MapFigures:
    """Figures of maps (N, 7, 7) and the probability of lung (N, S, S) of the same images; N is 1 or more.

    `threshold` is that of all images, or that of each (N,).
    """
    share = in_cells(lungs, cams.shape[1])
    positive = cams.astype(np.float64).clip(0, None)
    mass = positive.sum((1, 2))
    some = mass > 0
    inside = (positive * share).sum((1, 2))[some] / mass[some]
    peaks = share.reshape(len(share), -1)[np.arange(len(share)), cams.reshape(len(cams), -1).argmax(1)]
    maps: list[Map] = list(cams.astype(np.float16))
    thresholds: list[float] = np.broadcast_to(threshold, len(maps)).tolist()
    tinted = [(tint(cam, at) > VISIBLE).mean() for cam, at in zip(maps, thresholds, strict=True)]
    return MapFigures(
        images=len(cams),
        area=float(lungs.mean()),
        inside=float(inside.mean()) if some.any() else None,
        peak_inside=float((peaks >= 0.5).mean()),
        positive=float((cams > 0).mean()),
        shown=float(np.mean([points(cam, at) for cam, at in zip(maps, thresholds, strict=True)])),
        tinted=float(np.median(tinted)),
    )


def by_outcome(
    cams: NDArray[np.floating],
    lungs: NDArray[np.float32],
    labels: NDArray[np.int64],
    called: NDArray[np.bool_],
    threshold: float | NDArray[np.floating],
) -> dict[str, MapFigures]:
    """Figures of the pneumonias that were found, those that were missed, and the false alarms, where there are any."""
    groups = {
        "pneumonia, found": (labels == 1) & called,
        "pneumonia, missed": (labels == 1) & ~called,
        "false alarm": (labels == 0) & called,
    }
    thresholds = np.broadcast_to(threshold, len(cams))
    return {
        name: measure(cams[members], lungs[members], thresholds[members])
        for name, members in groups.items()
        if members.any()
    }


def in_cells(lungs: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """The share of lung in each cell of a map: (N, S, S) -> (N, side, side); S must be a multiple of `side`."""
    cell_px = lungs.shape[1] // side
    return np.asarray(lungs.reshape(-1, side, cell_px, side, cell_px).mean((2, 4)), dtype=np.float32)


def predict(model: LoadedModel, pixels: NDArray[np.uint8], progress: Progress = silent) -> Predicted:
    """What the model says of preprocessed images uint8 (N, 224, 224)."""
    parts = [model.predict(batch) for batch in in_batches(pixels, progress)]
    return Predicted(
        np.concatenate([part.probability for part in parts]),
        np.concatenate([part.thresholds(model.threshold) for part in parts]),
        np.concatenate([part.cam for part in parts]),
    )
