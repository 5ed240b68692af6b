"""The row of a large archive is read from a file, all requests for results together."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from benchmarks import history_row
from benchmarks.history import Figure
from benchmarks.images import Images
from benchmarks.rows import Setup

CASES = [
    Figure("sqlite", "/history: nothing", (10.0,) * 20, (15.0,) * 20, 10.0),
    Figure("sqlite", "/results: refused", (2.0,) * 20, (9.0,) * 20, 10.0),
    Figure("sqlite", "/metrics", (1.0,) * 20, (7.0,) * 20),
    Figure("postgresql", "/results: refused", (4.0,) * 20, (4.0,) * 20, 10.0),
]


def setup(build: Path) -> Setup:
    return Setup(Images("none", ()), build=build)


def test_all_requests_for_results_are_one_figure_a_database(tmp_path: Path) -> None:
    path = tmp_path / history_row.FILE
    path.parent.mkdir()
    path.write_text(json.dumps([asdict(case) for case in CASES]), encoding="utf-8")
    row = history_row.measure(setup(tmp_path))
    assert row.figures["ratio_of_sqlite"].median == pytest.approx(1.5)
    assert row.figures["ratio_of_postgresql"].median == pytest.approx(1)
    assert row.facts["sqlite, worst case"] == "/metrics: 7.0 times"


def test_without_the_file_it_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(history_row.NotThere, match=r"python -m benchmarks\.history"):
        history_row.measure(setup(tmp_path))
