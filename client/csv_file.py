"""The CSV file of results, written row by row and put in place when complete."""

from __future__ import annotations

import csv
import os
from pathlib import Path
from types import TracebackType
from typing import Any

from core.csv_lines import COLUMNS, Row, cells
from core.errors import ConfigurationError


class CsvFile:
    """Writes to `<path>.part`, which becomes `path` at the end of the `with` block unless that fails.

    Opening it early shows, before anything is sent, that the place can be written.
    """

    def __init__(self, path: Path) -> None:
        """
        Raises:
            ConfigurationError: the place cannot be written.
        """
        self.path = path
        self._draft = path.with_name(path.name + ".part")
        if path.is_dir():
            raise ConfigurationError(f"{path} is a folder: give --csv a file name.")
        try:
            self._file = self._draft.open("w", encoding="utf-8", newline="")
        except OSError as error:
            raise ConfigurationError(f"Cannot write {path}: {error.strerror}.") from error
        self._writer: Any = csv.writer(self._file)
        self._writer.writerow(COLUMNS)

    def __enter__(self) -> CsvFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        if kind is None:
            os.replace(self._draft, self.path)
        else:
            self._draft.unlink(missing_ok=True)

    def write(self, row: Row) -> None:
        self._writer.writerow(cells(row))
