"""Labelled image files: in folders named after their class, in an archive of such, or listed in a CSV."""

from __future__ import annotations

import csv
import re
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from core.errors import InvalidInput

CLASSES = ("NORMAL", "PNEUMONIA")
SUFFIXES = {".jpeg", ".jpg", ".png"}
MAX_FILE_BYTES = 64_000_000
"""Of one member of an archive; as much as the service takes by default."""
_LABELS = {"normal": 0, "0": 0, "pneumonia": 1, "1": 1}


@dataclass(frozen=True)
class Item:
    """One file; `label` is 1 for pneumonia, `load` gives its bytes and raises OSError where it is not there."""

    name: str
    label: int
    patient: str
    load: Callable[[], bytes]


def items(source: Path) -> Iterator[Item]:
    """Every labelled image of a source, unsorted.

    A source is a folder in Kaggle's layout (`train/NORMAL`, `train/PNEUMONIA`, `val/…`, or `NORMAL`, `PNEUMONIA`
    alone), a .tar (also compressed) or .zip of one, or a CSV with the columns `path`, `label` (NORMAL or PNEUMONIA,
    or 0 or 1) and if wanted `patient`; its paths start from the folder that it lies in.

    Raises:
        InvalidInput: nothing of these, or a row of the CSV that cannot be understood.
    """
    if source.is_file() and source.suffix.lower() == ".csv":
        return _rows(source)
    return _in_class_folders(_candidates(source))


def patient_of(name: str) -> str:
    """The patient in a file name of the Kermany set: `person1946_bacteria_4874`, `NORMAL2-IM-0115-0001`.

    `IM-0115` and `NORMAL2-IM-0115` may or may not be one child; they count as one, which cannot leak. A name of
    another shape stands for a patient of its own.
    """
    stem = PurePosixPath(name).stem
    match = re.match(r"(person\d+)_", stem) or re.match(r"(?:NORMAL2-)?(IM-\d+)-", stem)
    return match.group(1) if match else stem


def cause_of(name: str) -> int:
    """1 where a file name of the Kermany set says virus, 0 where it says bacteria, -1 elsewhere."""
    match = re.match(r"person\d+_(virus|bacteria)_", PurePosixPath(name).stem)
    return -1 if match is None else int(match.group(1) == "virus")


def _candidates(source: Path) -> Iterator[tuple[str, Callable[[], bytes]]]:
    if source.is_dir():
        return ((str(path.relative_to(source)), path.read_bytes) for path in source.rglob("*") if path.is_file())
    if source.is_file() and zipfile.is_zipfile(source):
        return _zip_members(source)
    if source.is_file() and tarfile.is_tarfile(source):
        return _tar_members(source)
    raise InvalidInput(f"{source} is neither a folder, nor a .tar or .zip of images, nor a .csv that lists them.")


def _in_class_folders(candidates: Iterator[tuple[str, Callable[[], bytes]]]) -> Iterator[Item]:
    for name, load in candidates:
        if _is_wanted(name):
            yield Item(name, CLASSES.index(PurePosixPath(name).parent.name), patient_of(name), load)


def _is_wanted(name: str) -> bool:
    path = PurePosixPath(name)
    hidden = path.name.startswith("._")  # macOS leaves these beside each file
    return path.suffix.lower() in SUFFIXES and path.parent.name in CLASSES and not hidden


def _tar_members(source: Path) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Nothing is unpacked to the disk, and links are not followed."""
    with tarfile.open(source) as archive:
        for member in archive:
            file = archive.extractfile(member) if member.isfile() and _is_wanted(member.name) else None
            if file is not None:
                data = _read(file, member.name)
                yield member.name, lambda data=data: data  # type: ignore[misc]  # a default binds this member's bytes


def _zip_members(source: Path) -> Iterator[tuple[str, Callable[[], bytes]]]:
    with zipfile.ZipFile(source) as archive:
        for member in archive.infolist():
            if not member.is_dir() and _is_wanted(member.filename):
                with archive.open(member) as file:
                    data = _read(file, member.filename)
                yield member.filename, lambda data=data: data  # type: ignore[misc]  # as above


def _read(file: IO[bytes], name: str) -> bytes:
    """All of a member, whatever size its entry claims."""
    data = file.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        raise InvalidInput(f"{name} unpacks to more than {MAX_FILE_BYTES / 1e6:g} MB, the limit of one image.")
    return data


def _rows(source: Path) -> Iterator[Item]:
    with source.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        if not {"path", "label"} <= set(reader.fieldnames or ()):
            raise InvalidInput(f"{source} needs a first line that names the columns path and label.")
        for row in reader:
            label = _LABELS.get((row["label"] or "").strip().lower())
            if label is None:
                raise InvalidInput(
                    f"{source}, line {reader.line_num}: the label is {row['label']!r}; write NORMAL or PNEUMONIA."
                )
            name = row["path"]
            yield Item(name, label, row.get("patient") or patient_of(name), (source.parent / name).read_bytes)
