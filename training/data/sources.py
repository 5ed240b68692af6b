"""Labelled image files: in folders named after their class, in an archive of such, or listed in a CSV."""

from __future__ import annotations

import re
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from core.errors import InvalidInput
from training.data import listing
from training.data.listing import CLASSES, Row

SUFFIXES = {".jpeg", ".jpg", ".png"}
MAX_FILE_BYTES = 64_000_000
"""Of one member of an archive; as much as the service takes by default."""


Load = Callable[[], bytes]


@dataclass(frozen=True)
class Item:
    """One file; `label` is 1 for pneumonia, `load` gives its bytes and raises OSError where it is not there.

    `source` says where it comes from: a hospital or a collection. `view` is PA, AP or empty; `age_years` of the patient
    is None where nothing tells it.
    """

    name: str
    label: int
    patient: str
    load: Load
    source: str
    view: str = ""
    age_years: float | None = None


def items(source: Path) -> Iterator[Item]:
    """Every labelled image of a source, unsorted.

    A source is a folder in Kaggle's layout (`train/NORMAL`, `train/PNEUMONIA`, `val/…`, or `NORMAL`, `PNEUMONIA`
    alone), a .tar (also compressed) or .zip of one, or a CSV (`training.data.listing`) whose paths start from the
    folder that it lies in. Beside an archive may lie a CSV of the same name that lists what is in it.

    Raises:
        InvalidInput: nothing of these, or a row of the CSV that cannot be understood.
    """
    if source.is_file() and source.suffix.lower() == ".csv":
        return (_listed(row, (source.parent / row.path).read_bytes) for row in listing.read(source))
    beside = source.with_suffix(".csv")
    if source.is_file() and beside.is_file():
        return _listed_members(source, beside)
    return _in_class_folders(source.stem, _candidates(source, _is_wanted))


def _listed(row: Row, load: Load) -> Item:
    patient = row.patient or patient_of(row.path)
    return Item(row.path, row.label, patient, load, row.source, row.view, row.age_years)


def _listed_members(archive: Path, beside: Path) -> Iterator[Item]:
    rows = {row.path: row for row in listing.read(beside)}
    for name, load in _candidates(archive, lambda name: name in rows):
        yield _listed(rows.pop(name), load)
    if rows:
        raise InvalidInput(f"{beside} lists {next(iter(rows))}, which is not in {archive}.")


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


def _candidates(source: Path, wanted: Callable[[str], bool]) -> Iterator[tuple[str, Load]]:
    if source.is_dir():
        named = ((str(path.relative_to(source)), path) for path in source.rglob("*") if path.is_file())
        return ((name, path.read_bytes) for name, path in named if wanted(name))
    if source.is_file() and zipfile.is_zipfile(source):
        return _zip_members(source, wanted)
    if source.is_file() and tarfile.is_tarfile(source):
        return _tar_members(source, wanted)
    raise InvalidInput(f"{source} is neither a folder, nor a .tar or .zip of images, nor a .csv that lists them.")


def _in_class_folders(source: str, candidates: Iterator[tuple[str, Load]]) -> Iterator[Item]:
    for name, load in candidates:
        yield Item(name, CLASSES.index(PurePosixPath(name).parent.name), patient_of(name), load, source)


def _is_wanted(name: str) -> bool:
    path = PurePosixPath(name)
    hidden = path.name.startswith("._")  # macOS leaves these beside each file
    return path.suffix.lower() in SUFFIXES and path.parent.name in CLASSES and not hidden


def _tar_members(source: Path, wanted: Callable[[str], bool]) -> Iterator[tuple[str, Load]]:
    """Nothing is unpacked to the disk, and links are not followed."""
    with tarfile.open(source) as archive:
        for member in archive:
            file = archive.extractfile(member) if member.isfile() and wanted(member.name) else None
            if file is not None:
                data = _read(file, member.name)
                yield member.name, lambda data=data: data  # type: ignore[misc]  # a default binds this member's bytes


def _zip_members(source: Path, wanted: Callable[[str], bool]) -> Iterator[tuple[str, Load]]:
    with zipfile.ZipFile(source) as archive:
        for member in archive.infolist():
            if not member.is_dir() and wanted(member.filename):
                with archive.open(member) as file:
                    data = _read(file, member.filename)
                yield member.filename, lambda data=data: data  # type: ignore[misc]  # as above


def _read(file: IO[bytes], name: str) -> bytes:
    """All of a member, whatever size its entry claims."""
    data = file.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        raise InvalidInput(f"{name} unpacks to more than {MAX_FILE_BYTES / 1e6:g} MB, the limit of one image.")
    return data
