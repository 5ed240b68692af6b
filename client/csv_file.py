"""The CSV file of results, written row by row and put in place when complete."""

from __future__ import annotations

import csv
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

from core.atomic import replacement
from core.csv_lines import COLUMNS, Row, cells
from core.errors import InvalidInput


class CsvFile:
    """Writes to a draft beside `path`, which takes its place at the end of the `with` block unless that fails.

    Opening it early shows, before anything is sent, that the place can be written.
    """

    def __init__(self, path: Path) -> None:
        """
        Raises:
            InvalidInput: the place cannot be written.
        """
        self.path = path
        self._exit = ExitStack()
        if path.is_dir():
            raise InvalidInput(f"{path} is a folder: give --csv a file name.")
        try:
            draft = self._exit.enter_context(replacement(path))
            file = self._exit.enter_context(draft.open("w", encoding="utf-8", newline=""))
        except OSError as error:
            raise InvalidInput(f"Cannot write {path}: {error.strerror}.") from error
        self._writer: Any = csv.writer(file)
        self._writer.writerow(COLUMNS)

    def __enter__(self) -> CsvFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._exit.__exit__(kind, error, trace)

    def write(self, row: Row) -> None:
        self._writer.writerow(cells(row))
