"""Medians, ranges and pairs of repeats."""

from __future__ import annotations

import pytest

from benchmarks.spread import Spread, alternate, percentile, ratio


def test_a_spread_tells_its_middle_and_its_ends() -> None:
    spread = Spread((3.0, 1.0, 2.0))

    assert (spread.low, spread.median, spread.high) == (1.0, 2.0, 3.0)


def test_nothing_measured_is_no_spread() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Spread(())


def test_ratios_are_of_neighbours_and_not_of_medians() -> None:
    assert ratio([10.0, 40.0], [5.0, 10.0]) == (2.0, 4.0)


def test_ratios_of_unequal_repeats_are_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        ratio([1.0, 2.0], [1.0])


def test_kinds_take_turns_and_none_is_always_first() -> None:
    order: list[str] = []

    def kind(name: str) -> float:
        order.append(name)
        return len(order)

    measured = alternate(3, {"a": lambda: kind("a"), "b": lambda: kind("b")})

    assert order == ["a", "b", "b", "a", "a", "b"]
    assert measured == {"a": (1, 4, 5), "b": (2, 3, 6)}


@pytest.mark.parametrize(("share", "expected"), [(0.5, 50), (0.95, 95), (1.0, 100), (0.0, 1)])
def test_percentile_is_a_value_that_was_measured(share: float, expected: float) -> None:
    assert percentile(list(range(100, 0, -1)), share) == expected


def test_percentile_of_few_values_is_the_worst() -> None:
    assert percentile([1.0, 9.0, 2.0], 0.95) == 9.0
