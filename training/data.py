"""Reading a labelled data set, and telling patients apart.

A data set is a folder in Kaggle's layout, `train/NORMAL`, `train/PNEUMONIA`, `val/…`, or `NORMAL`, `PNEUMONIA`
alone, or a .tar of one. Images pass through the same decoding and preprocessing as in screening.
"""

from __future__ import annotations

import hashlib
import re
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from core.errors import ConfigurationError, PneumoscreenError
from model.decode import decode
from model.preprocess import preprocess
from training.progress import Progress, silent

CLASSES = ("NORMAL", "PNEUMONIA")
TEST = "test"
"""The folder of the set's official test split."""
SUFFIXES = {".jpeg", ".jpg", ".png"}


@dataclass(frozen=True)
class Dataset:
    """Images in a fixed order, sorted by name.

    `pixels` is uint8 (N, 224, 224); `labels` is int64 (N,), 1 for pneumonia; `patients` holds one key per image;
    `duplicates` counts files left out because another has the very same bytes.
    """

    names: list[str]
    patients: list[str]
    labels: NDArray[np.int64]
    pixels: NDArray[np.uint8]
    duplicates: int

    @property
    def digest(self) -> str:
        """sha256 over labels and pixels, which names the data set whatever its files are called."""
        return hashlib.sha256(self.labels.tobytes() + self.pixels.tobytes()).hexdigest()


def patient_of(name: str) -> str:
    """The patient in a file name of the Kermany set: `person1946_bacteria_4874`, `NORMAL2-IM-0115-0001`.

    `IM-0115` and `NORMAL2-IM-0115` may or may not be one child; they count as one, which cannot leak. A name of
    another shape stands for a patient of its own.
    """
    stem = PurePosixPath(name).stem
    match = re.match(r"(person\d+)_", stem) or re.match(r"(?:NORMAL2-)?(IM-\d+)-", stem)
    return match.group(1) if match else stem


def read(source: Path, progress: Progress = silent, *, for_training: bool) -> Dataset:
    """Read a data set into memory (50 kB an image).

    For training, a folder `test` in it is not read, because that is kept for measuring what is released, and of
    files with the very same bytes one is kept. Evaluation reads everything it is pointed at.

    Raises:
        ConfigurationError: nothing there, no images of one class, or an image that cannot be decoded.
    """
    found = {name: load for name, load in sorted(files(source)) if not (for_training and TEST in _folders(name))}
    missing = [name for name in CLASSES if name not in {class_of(file) for file in found}]
    if missing:
        raise ConfigurationError(f"{source} has no images in a folder named {' or '.join(missing)}.")
    seen: set[str] = set()
    names: list[str] = []
    pixels: list[NDArray[np.uint8]] = []
    for done, (name, load) in enumerate(found.items(), 1):
        data = load()
        digest = hashlib.sha256(data).hexdigest()
        if not for_training or digest not in seen:
            seen.add(digest)
            names.append(name)
            pixels.append(_pixels(name, data))
        progress(done, len(found))
    return Dataset(
        names=names,
        patients=[patient_of(name) for name in names],
        labels=np.array([CLASSES.index(class_of(name)) for name in names], dtype=np.int64),
        pixels=np.stack(pixels),
        duplicates=len(found) - len(names),
    )


def _pixels(name: str, data: bytes) -> NDArray[np.uint8]:
    try:
        return preprocess(decode(data))
    except PneumoscreenError as error:
        raise ConfigurationError(f"{name}: {error.message} Remove it from the data set.") from error


def _folders(name: str) -> tuple[str, ...]:
    return PurePosixPath(name).parts[:-1]


def class_of(name: str) -> str:
    """`NORMAL` or `PNEUMONIA`, from the folder that the file lies in."""
    return PurePosixPath(name).parent.name


def files(source: Path) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Name and reader of every labelled image, unsorted.

    Raises:
        ConfigurationError: neither a folder nor a .tar.
    """
    candidates: Iterator[tuple[str, Callable[[], bytes]]]
    if source.is_dir():
        candidates = ((str(path.relative_to(source)), path.read_bytes) for path in source.rglob("*") if path.is_file())
    elif source.is_file() and tarfile.is_tarfile(source):
        candidates = _members(source)
    else:
        raise ConfigurationError(f"{source} is neither a folder nor a .tar of images.")
    for name, load in candidates:
        path = PurePosixPath(name)
        hidden = path.name.startswith("._")  # macOS leaves these beside each file
        if path.suffix.lower() in SUFFIXES and path.parent.name in CLASSES and not hidden:
            yield name, load


def _members(source: Path) -> Iterator[tuple[str, Callable[[], bytes]]]:
    with tarfile.open(source) as archive:
        for member in archive:
            file = archive.extractfile(member)
            if file is not None:
                data = file.read()
                yield member.name, lambda data=data: data  # type: ignore[misc]  # a default binds this member's bytes
