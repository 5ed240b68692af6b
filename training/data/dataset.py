"""Reading a labelled data set into memory, through the same decoding and preprocessing as in screening."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from core.errors import InvalidInput, PneumoscreenError
from imaging import preprocess
from training.data.listing import CLASSES
from training.data.sources import Item, cause_of, items
from training.progress import Progress, silent

TEST = "test"
"""The folder of the set's official test split."""


@dataclass(frozen=True)
class Dataset:
    """Images in a fixed order, sorted by name, which begins with that of their set.

    `pixels` is uint8 (N, 224, 224); `labels` is int64 (N,), 1 for pneumonia; `causes` is int64 (N,), 1 for a virus,
    0 for bacteria, -1 where the name tells neither; `patients` holds one key per image, `sources` where each comes
    from, `views` PA, AP or nothing; `ages_years` is float64 (N,), NaN where unknown; `duplicates` counts files left out
    because another has the very same bytes.
    """

    names: list[str]
    patients: list[str]
    labels: NDArray[np.int64]
    causes: NDArray[np.int64]
    pixels: NDArray[np.uint8]
    duplicates: int
    sources: list[str]
    views: list[str]
    ages_years: NDArray[np.float64]

    @property
    def digest(self) -> str:
        """sha256 over labels and pixels, which names the data set whatever its files are called."""
        return hashlib.sha256(self.labels.tobytes() + self.pixels.tobytes()).hexdigest()

    def select(self, members: NDArray[np.bool_]) -> Dataset:
        """Those images alone, in the same order."""
        chosen = np.flatnonzero(members).tolist()
        names, patients, sources, views = (
            [values[index] for index in chosen] for values in (self.names, self.patients, self.sources, self.views)
        )
        return replace(
            self,
            names=names,
            patients=patients,
            labels=self.labels[members],
            causes=self.causes[members],
            pixels=self.pixels[members],
            sources=sources,
            views=views,
            ages_years=self.ages_years[members],
        )


def read_dataset(sets: Sequence[Path], progress: Progress = silent, *, for_training: bool) -> Dataset:
    """Read one or several sets (`training.data.sources.items`) into memory as one, 50 kB an image.

    For training, a folder `test` in it is not read, because that is kept for measuring what is released, and of
    files with the very same bytes one is kept. Evaluation reads everything it is pointed at.

    Raises:
        InvalidInput: nothing there, no images of one class, or an image that cannot be read or decoded.
    """
    labelled = [
        replace(item, name=f"{path.stem}/{item.name}")  # two sets may have files of one name
        for path in sets
        for item in items(path)
        if not (for_training and _is_test(item))
    ]
    labelled.sort(key=lambda item: item.name)
    missing = [name for label, name in enumerate(CLASSES) if label not in {item.label for item in labelled}]
    if missing:
        names = ", ".join(map(str, sets))
        raise InvalidInput(f"{names} has no images labelled {' or '.join(missing)}.")
    seen: set[str] = set()
    kept: list[Item] = []
    pixels: list[NDArray[np.uint8]] = []
    for done, item in enumerate(labelled, 1):
        data = _bytes(item)
        digest = hashlib.sha256(data).hexdigest()
        if not for_training or digest not in seen:
            seen.add(digest)
            kept.append(item)
            pixels.append(_pixels(item.name, data))
        progress(done, len(labelled))
    return Dataset(
        names=[item.name for item in kept],
        patients=[item.patient for item in kept],
        labels=np.array([item.label for item in kept], dtype=np.int64),
        causes=np.array([cause_of(item.name) for item in kept], dtype=np.int64),
        pixels=np.stack(pixels),
        duplicates=len(labelled) - len(kept),
        sources=[item.source for item in kept],
        views=[item.view for item in kept],
        ages_years=np.array([math.nan if item.age_years is None else item.age_years for item in kept]),
    )


def _is_test(item: Item) -> bool:
    return TEST in PurePosixPath(item.name).parts[:-1]


def _bytes(item: Item) -> bytes:
    try:
        return item.load()
    except OSError as error:
        raise InvalidInput(f"Cannot read {item.name}: {error.strerror}.") from error


def _pixels(name: str, data: bytes) -> NDArray[np.uint8]:
    try:
        return preprocess.read(data)
    except PneumoscreenError as error:
        raise InvalidInput(f"{name}: {error.message} Remove it from the data set.") from error
