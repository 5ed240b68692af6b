"""Results as the service tells them, and their counts: what the summary is made of."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from core.csv_lines import REJECTED as REJECTED
from core.csv_lines import Row, model_label

LISTED = 20
"""Failed files listed by name; the CSV file has them all."""


def from_api(image: dict[str, Any], filename: str) -> Row:
    """The row of an Image as the API shows it, for the file that is called `filename` here."""
    prediction = image.get("prediction") or {}
    model = prediction.get("model")
    error = image.get("error") or {}
    review = image.get("review") or {}
    return Row(
        filename=filename,
        state=image["state"],
        sha256=image["sha256"],
        probability=prediction.get("probability"),
        decision=prediction.get("decision", ""),
        notes=prediction.get("notes") or "",
        kind=prediction.get("kind") or "",
        view=prediction.get("view") or "",
        population=prediction.get("population") or "",
        model=model_label(model["name"], model["sha256"]) if model else "",
        error=error.get("message", ""),
        image_id=image["id"],
        reason=prediction.get("reason") or "",
        review=review.get("opinion", ""),
        reviewer=review.get("reviewer", ""),
        review_note=review.get("note", ""),
    )


def without_image(filename: str) -> Row:
    """The row of a file that the service took and has no more: its image was deleted meanwhile."""
    return Row(filename, "failed", error="The service does not have this image any more: send it again.")


@dataclass(slots=True)
class Tally:
    """Counts by decision, or by state where there is none; and the first failed files."""

    counts: Counter[str] = field(default_factory=Counter)
    failures: list[Row] = field(default_factory=list)

    def add(self, row: Row) -> None:
        self.counts[row.decision or row.state] += 1
        if row.state != "done" and len(self.failures) < LISTED:
            self.failures.append(row)

    @property
    def failed(self) -> int:
        """Files without a decision."""
        return self.counts["failed"] + self.counts[REJECTED] + self.counts["cancelled"]
