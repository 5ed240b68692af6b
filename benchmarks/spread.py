"""Repeated measurements: their middle, and how far they lay apart. Machines are noisy, so no figure is a single one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Spread:
    """At least one value, in the order in which they were measured."""

    values: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.values:
            raise ValueError("a spread needs at least one value")

    @property
    def median(self) -> float:
        return median(self.values)

    @property
    def low(self) -> float:
        return min(self.values)

    @property
    def high(self) -> float:
        return max(self.values)


def ratio(over: Sequence[float], under: Sequence[float]) -> tuple[float, ...]:
    """Pair by pair, as they were measured one after the other: what slows the machine down slows both of a pair."""
    return tuple(a / b for a, b in zip(over, under, strict=True))


def alternate(repeats: int, kinds: Mapping[str, Callable[[], float]]) -> dict[str, tuple[float, ...]]:
    """Call each of `kinds` `repeats` times, in turn; every other round backwards, so that none is always the first."""
    values: dict[str, list[float]] = {name: [] for name in kinds}
    for number in range(repeats):
        for name in list(kinds)[:: 1 if number % 2 == 0 else -1]:
            values[name].append(kinds[name]())
    return {name: tuple(measured) for name, measured in values.items()}


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that `share` (0 to 1) of all do not exceed: no interpolation, so a rare long wait shows."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * round(share * 1000) // 1000) - 1)]
