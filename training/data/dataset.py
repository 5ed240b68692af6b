"""Reading a labelled data set into memory, through the same decoding and preprocessing as in screening."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from core.errors import InvalidInput, PneumoscreenError
from imaging import preprocess
from training.data.sources import CLASSES, Item, cause_of, items
from training.progress import Progress, silent

TEST = "test"
"""The folder of the set's official test split."""


@dataclass(frozen=True)
class Dataset:
    """Images in a fixed order, sorted by name.

    `pixels` is uint8 (N, 224, 224); `labels` is int64 (N,), 1 for pneumonia; `causes` is int64 (N,), 1 for a virus,
    0 for bacteria, -1 where the name tells neither; `patients` holds one key per image; `duplicates` counts files left
    out because another has the very same bytes.
    """

    names: list[str]
    patients: list[str]
    labels: NDArray[np.int64]
    causes: NDArray[np.int64]
    pixels: NDArray[np.uint8]
    duplicates: int

    @property
    def digest(self) -> str:
        """sha256 over labels and pixels, which names the data set whatever its files are called."""
        return hashlib.sha256(self.labels.tobytes() + self.pixels.tobytes()).hexdigest()


def read_dataset(source: Path, progress: Progress = silent, *, for_training: bool) -> Dataset:
    """Read a data set (`training.data.sources.items`) into memory, 50 kB an image.

    For training, a folder `test` in it is not read, because that is kept for measuring what is released, and of
    files with the very same bytes one is kept. Evaluation reads everything it is pointed at.

    Raises:
        InvalidInput: nothing there, no images of one class, or an image that cannot be read or decoded.
    """
    labelled = [item for item in items(source) if not (for_training and TEST in PurePosixPath(item.name).parts[:-1])]
    labelled.sort(key=lambda item: item.name)
    missing = [name for label, name in enumerate(CLASSES) if label not in {item.label for item in labelled}]
    if missing:
        raise InvalidInput(f"{source} has no images labelled {' or '.join(missing)}.")
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
    )


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
