"""What a measurement gives: figures with their repeats, series for the plots, and facts that are no figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.images import Images
from benchmarks.spread import Spread

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Setup:
    """What every measurement gets."""

    images: Images
    repeats: int = 3
    count: int = 480
    """Images in one repeat of a measurement of the whole service or of a peer."""
    backlog: int = 10_000
    say: Callable[[str], None] = print
    build: Path = Path("build")

    @property
    def few(self) -> int:
        """Images in one repeat of a measurement of a part."""
        return max(16, self.count // 2)


@dataclass(slots=True)
class Row:
    """By name; a figure's name ends with its unit. Written to JSON as it is."""

    figures: dict[str, Spread] = field(default_factory=dict)
    series: dict[str, list[Point]] = field(default_factory=dict)
    facts: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, *values: float) -> None:
        self.figures[name] = Spread(tuple(values))

    def as_json(self) -> dict[str, Any]:
        return {
            "figures": {name: list(spread.values) for name, spread in self.figures.items()},
            "series": self.series,
            "facts": self.facts,
        }


def from_json(body: Mapping[str, Any]) -> Row:
    figures = {name: Spread(tuple(values)) for name, values in body["figures"].items()}
    series = {name: [(x, y) for x, y in points] for name, points in body["series"].items()}
    return Row(figures, series, dict(body["facts"]))


def mean_of(values: Sequence[float]) -> float:
    return sum(values) / len(values)
