"""The CSV file: its cells, and that it is complete or not there."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from client.csv_file import CsvFile
from core.csv_lines import COLUMNS, Row
from core.errors import InvalidInput


def read(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def test_header_and_rows(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"

    with CsvFile(path) as file:
        file.write(Row("a.png", "done", "0" * 64, 0.5, "normal", "m@123", image_id=7))
        file.write(Row('with "quotes", comma\nand line.png', "rejected", error="Not an image."))

    assert read(path) == [
        list(COLUMNS),
        ["a.png", "0" * 64, "done", "0.500000", "normal", "m@123", "", "7", "", "", "", "", "", "", "", ""],
        [
            'with "quotes", comma\nand line.png',
            "",
            "rejected",
            "",
            "",
            "",
            "Not an image.",
            "",
            "",
            "",
            "",
            "",
            "",
            "",
            "",
            "",
        ],
    ]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_no_cell_is_a_formula(tmp_path: Path, start: str) -> None:
    path = tmp_path / "out.csv"

    with CsvFile(path) as file:
        file.write(Row(f"{start}HYPERLINK(1)", "done"))

    assert read(path)[1][0] == f"'{start}HYPERLINK(1)"


def test_nothing_is_at_the_place_until_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_text("from before")

    with CsvFile(path) as file:
        file.write(Row("a.png", "done"))
        assert path.read_text() == "from before"

    assert read(path)[1][0] == "a.png"
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_text("from before")

    with pytest.raises(KeyboardInterrupt), CsvFile(path):
        raise KeyboardInterrupt

    assert path.read_text() == "from before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="No such file or directory"):
        CsvFile(tmp_path / "missing" / "out.csv")
    with pytest.raises(InvalidInput, match="is a folder"):
        CsvFile(tmp_path)
