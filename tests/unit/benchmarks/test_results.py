"""The JSON of a run, which goes on where it was cut off."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import results
from tests.unit.benchmarks.factories import MACHINE, row, service_row
from tests.unit.benchmarks.factories import results as made


def test_what_is_saved_is_read_again(tmp_path: Path) -> None:
    before = made(service=service_row())
    before.rows["service"].series["ours"] = [(1, 2.5), (2, 5.0)]

    before.save(tmp_path / "deep" / "bench.json")

    assert results.load(tmp_path / "deep" / "bench.json") == before


def test_a_row_measured_again_replaces_itself_alone(tmp_path: Path) -> None:
    made(decode=row(ratio=(1.0,)), forward=row(ratio=(2.0,))).save(tmp_path / "bench.json")

    measured = results.load(tmp_path / "bench.json")
    measured.add("decode", row(ratio=(3.0,)), MACHINE, "other files")

    assert measured.rows["decode"].figures["ratio"].median == 3.0
    assert measured.rows["forward"].figures["ratio"].median == 2.0
    assert measured.images == {"decode": "other files", "forward": "3 files of test"}


def test_no_file_is_no_results(tmp_path: Path) -> None:
    assert results.load(tmp_path / "none.json").rows == {}


@pytest.mark.parametrize(
    "text", ["[]", '{"rows": {"decode": {}}}', "not json", '{"rows": {"decode": {"figures": []}}}']
)
def test_another_file_is_refused_by_name(tmp_path: Path, text: str) -> None:
    (tmp_path / "other.json").write_text(text)

    with pytest.raises(ValueError, match=r"other\.json holds no results"):
        results.load(tmp_path / "other.json")
