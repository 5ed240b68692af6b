"""Two commits, figure by figure."""

from __future__ import annotations

import pytest

from benchmarks import compare
from benchmarks.spread import Spread
from tests.unit.benchmarks.factories import results, row


@pytest.mark.parametrize(
    ("before", "after", "apart"),
    [
        ((1.0, 2.0), (2.5, 3.0), True),
        ((2.5, 3.0), (1.0, 2.0), True),
        ((1.0, 2.6), (2.5, 3.0), False),
        ((0.0,), (1.0,), True),
        ((1.0,), (1.0,), False),
    ],
)
def test_ranges_that_touch_are_noise(before: tuple[float, ...], after: tuple[float, ...], *, apart: bool) -> None:
    assert compare.apart(Spread(before), Spread(after)) is apart


def test_figures_that_both_have_are_compared() -> None:
    before = results(decode=row(ratio=(1.0, 1.1), gone=(1.0,)), forward=row(ratio=(2.0,)))
    after = results(decode=row(ratio=(2.0, 2.2), new=(1.0,)))

    lines = compare.changes(before, after).splitlines()[2:]

    assert lines == ["| decode | ratio | 1.05 (1.00–1.10) | 2.10 (2.00–2.20) | +100% | yes |"]


def test_a_figure_that_was_zero_has_no_percentage() -> None:
    text = compare.changes(results(decode=row(changed=(0.0,))), results(decode=row(changed=(3.0,))))

    assert "| decode | changed | 0 | 3.00 |  | yes |" in text


def test_other_machines_and_images_are_warned_of() -> None:
    here, there = results(decode=row(ratio=(1.0,))), results(decode=row(ratio=(1.0,)))
    assert compare.warning(here, there) == ""

    there.machines["decode"] = {"processor": "Other CPU"}
    assert "compare the ratios" in compare.warning(here, there)

    there.machines, there.images["decode"] = here.machines, "other files"
    assert "compare the ratios" in compare.warning(here, there)
