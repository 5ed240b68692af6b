"""The measured rows as one JSON file, which grows row by row, so that a run may be cut off and go on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.rows import Row, from_json
from core.atomic import write_bytes


@dataclass(slots=True)
class Results:
    """`machines` and `images` say of each row what it was measured on: rows may come from several runs."""

    rows: dict[str, Row] = field(default_factory=dict)
    machines: dict[str, dict[str, str]] = field(default_factory=dict)
    images: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, row: Row, machine: Mapping[str, str], images: str) -> None:
        """Replaces what was there of this name."""
        self.rows[name], self.machines[name], self.images[name] = row, dict(machine), images

    def save(self, path: Path) -> None:
        """Whole or not at all."""
        body = {
            name: row.as_json() | {"machine": self.machines[name], "images": self.images[name]}
            for name, row in self.rows.items()
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, f"{json.dumps({'rows': body}, indent=1)}\n".encode())


def load(path: Path) -> Results:
    """What is in the file; nothing if there is none.

    Raises:
        ValueError: it holds something else.
    """
    results = Results()
    if not path.exists():
        return results
    try:
        body: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        for name, row in body["rows"].items():
            results.add(name, from_json(row), row["machine"], row["images"])
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"{path} holds no results of `make bench`; move it away.") from error
    return results
