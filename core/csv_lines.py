"""One result as a line of CSV: the same file from the service, `submit` and `screen`."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

COLUMNS = (
    "filename",
    "sha256",
    "state",
    "probability",
    "decision",
    "model",
    "error",
    "image_id",
    "reason",
    "review",
    "reviewer",
    "review_note",
    "notes",
    "kind",
    "view",
    "population",
)
REJECTED = "rejected"
"""The state of a file that was not taken in."""
_FORMULA_STARTS = "=+-@\N{MINUS SIGN}"


@dataclass(frozen=True, slots=True)
class Row:
    """What became of one file. `error` and `reason`, why an image was refused, are sentences.

    `decision` is empty unless `state` is `done`; `review` is the last that a person said of it, if anybody did;
    `notes` what makes the result less reliable, `kind` and `view` what the image shows (core/kinds.py), `population` as
    whose it was judged (core/populations.py).
    """

    filename: str
    state: str
    sha256: str = ""
    probability: float | None = None
    decision: str = ""
    model: str = ""
    error: str = ""
    image_id: int | None = None
    reason: str = ""
    review: str = ""
    reviewer: str = ""
    review_note: str = ""
    notes: str = ""
    kind: str = ""
    view: str = ""
    population: str = ""


def cells(row: Row) -> list[str]:
    """The row as text, in the order of `COLUMNS`."""
    probability = "" if row.probability is None else f"{row.probability:.6f}"
    image_id = "" if row.image_id is None else str(row.image_id)
    name, model, error, reason = (escape(text) for text in (row.filename, row.model, row.error, row.reason))
    review = [row.review, escape(row.reviewer), escape(row.review_note)]
    return [
        name,
        row.sha256,
        row.state,
        probability,
        row.decision,
        model,
        error,
        image_id,
        reason,
        *review,
        escape(row.notes),
        row.kind,
        row.view,
        row.population,
    ]


def model_label(name: str, sha256: str) -> str:
    """The model's name with enough of its hash to tell two of the same name apart."""
    return f"{name}@{sha256[:12]}"


def escape(text: str) -> str:
    """`text`, with a quote in front when a spreadsheet would take it for a formula (CWE-1236)."""
    return f"'{text}" if _may_be_formula(text) else text


def _may_be_formula(text: str) -> bool:
    """Whether it begins with a formula's sign, in whatever width, or with a tab or line end that splits the cell.

    Spreadsheets skip blanks and invisible characters in front, and some read a full-width sign like an ASCII one.
    """
    if text.startswith(("\t", "\r", "\n")):
        return True
    first = next((c for c in text if not c.isspace() and not unicodedata.category(c).startswith("C")), "")
    return any(c in _FORMULA_STARTS for c in unicodedata.normalize("NFKC", first)[:1])
