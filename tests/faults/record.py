"""The runs of a pass as lines of JSON, so that a pass of hours survives an interruption."""

from __future__ import annotations

import json
import threading
from dataclasses import asdict
from pathlib import Path

from tests.faults.report import Outcome
from tests.faults.verdict import Verdict


class Record:
    """A file to which runs are appended; without a path nothing is written."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._lock = threading.Lock()

    def read(self) -> list[Outcome]:
        """What it holds so far."""
        if self._path is None or not self._path.exists():
            return []
        runs = map(json.loads, self._path.read_text(encoding="utf-8").splitlines())
        return [Outcome(**{**run, "verdict": Verdict(**run["verdict"])}) for run in runs]

    def add(self, outcome: Outcome) -> None:
        if self._path is not None:
            with self._lock, self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(outcome)) + "\n")
