"""A CSV that lists labelled images, and what is known of each."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from core.errors import InvalidInput

CLASSES = ("NORMAL", "PNEUMONIA")
VIEWS = ("", "PA", "AP")
MAX_AGE_YEARS = 130
_LABELS = {"normal": 0, "0": 0, "pneumonia": 1, "1": 1}


@dataclass(frozen=True)
class Row:
    """One line. `label` is 1 for pneumonia; `source` is the file's own name where no column tells it; `patient` and
    `view` may be empty.
    """

    path: str
    label: int
    source: str
    patient: str = ""
    view: str = ""
    age_years: float | None = None


def read(file: Path) -> Iterator[Row]:
    """The rows of a CSV with the columns `path` and `label` (NORMAL or PNEUMONIA, or 0 or 1), and if wanted `patient`,
    `source`, `view` (PA or AP) and `age` (years).

    Raises:
        InvalidInput: a column is missing, or a row cannot be understood.
    """
    with file.open(newline="", encoding="utf-8-sig") as lines:
        reader = csv.DictReader(lines)
        if not {"path", "label"} <= set(reader.fieldnames or ()):
            raise InvalidInput(f"{file} needs a first line that names the columns path and label.")
        for values in reader:
            try:
                yield _row({name: (value or "").strip() for name, value in values.items() if name}, file.stem)
            except ValueError as error:
                raise InvalidInput(f"{file}, line {reader.line_num}: {error}") from None


def _row(values: dict[str, str], source: str) -> Row:
    """Raises ValueError, with a sentence."""
    label = _LABELS.get(values["label"].lower())
    if label is None:
        raise ValueError(f"the label is {values['label']!r}; write NORMAL or PNEUMONIA.")
    view = values.get("view", "").upper()
    if view not in VIEWS:
        raise ValueError(f"the view is {view!r}; write PA or AP, or leave it empty.")
    return Row(
        path=values["path"],
        label=label,
        source=values.get("source") or source,
        patient=values.get("patient", ""),
        view=view,
        age_years=_age(values.get("age", "")),
    )


def _age(text: str) -> float | None:
    if not text:
        return None
    try:
        age_years = float(text)
    except ValueError:
        age_years = math.nan
    if not 0 <= age_years <= MAX_AGE_YEARS:
        raise ValueError(f"the age is {text!r}; write years, or leave it empty.")
    return age_years
