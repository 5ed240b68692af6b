"""The tables that a person reads."""

from __future__ import annotations

import pytest

from benchmarks import report
from benchmarks.spread import Spread
from benchmarks.targets import Target
from tests.unit.benchmarks.factories import results, row, service_row

AT_LEAST = Target("decode", "ratio", "decode", 1.8)
AT_MOST = Target("latency", "ratio", "latency", 2.5, at_most=True)


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0, "0"), (0.0123, "0.012"), (0.851, "0.85"), (12.34, "12.3"), (30_512.4, "30,512"), (100, "100")],
)
def test_three_digits_that_matter(value: float, shown: str) -> None:
    assert report.number(value) == shown


def test_a_spread_shows_its_range_where_it_has_one() -> None:
    assert report.spread(Spread((1.0, 3.0, 2.0))) == "2.00 (1.00–3.00)"
    assert report.spread(Spread((2.0,))) == "2.00"


def test_targets_are_judged_by_the_median() -> None:
    measured = results(decode=row(ratio=(1.0, 1.9, 2.0)), latency=row(ratio=(2.4, 2.6, 2.7)))

    lines = report.of_targets(measured, [AT_LEAST, AT_MOST]).splitlines()

    assert lines[2] == "| decode | ≥ 1.8 | 1.90 (1.00–2.00) | yes |"
    assert lines[3] == "| latency | ≤ 2.5 | 2.60 (2.40–2.70) | **no** |"


def test_what_was_not_measured_is_said_to_be_so() -> None:
    assert "| decode | ≥ 1.8 | not measured |  |" in report.of_targets(results(), [AT_LEAST])


def test_the_roofline_says_what_bounds_it_and_how_far() -> None:
    text = report.of_roofline(results(service=service_row()))

    assert "| forward | 60.0 (59.0–61.0) | 60% |" in text
    assert "bound by forward, 60% of the CPU seconds" in text
    assert "16.0 (15.0–17.0) images/s, 0.80 (0.79–0.81) of it" in text
    assert "5% of the cores' time is left idle" in text


def test_rows_of_one_run_share_a_table_of_the_machine() -> None:
    measured = results(decode=row(ratio=(1.0,)), forward=row(ratio=(1.0,)))
    measured.add("upload", row(ratio=(1.0,)), {"processor": "Other CPU"}, "other files")

    text = report.of_machine(measured)

    assert "rows decode, forward" in text
    assert "rows upload" in text
    assert text.count("| processor |") == 2
