"""Which images a table is made of: a few of each class of each source, always the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import sample
from core.errors import InvalidInput
from tests.unit.training.synthetic import write_dataset
from training.data.sources import Item


def test_a_few_of_each_class_and_source(tmp_path: Path) -> None:
    first, second = write_dataset(tmp_path / "first"), write_dataset(tmp_path / "second", each=2)
    alone, both = sample.draw([first], 3), sample.draw([first, second], 3)
    assert [(item.source, item.label) for item in both] == [
        *[("first", 0)] * 3, *[("first", 1)] * 3, *[("second", 0)] * 2, *[("second", 1)] * 2,
    ]  # fmt: skip
    assert [item.name for item in alone] == [item.name for item in both[:6]]


def test_no_images(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no labelled images"):
        sample.draw([tmp_path], 3)


def test_the_test_part_alone(tmp_path: Path) -> None:
    data = write_dataset(tmp_path / "ward", each=3)
    names = [item.name for item in sample.draw([data], 3)]
    split = tmp_path / "split.csv"
    split.write_text("name,part\n" + "".join(f"{name},{'train' if n else 'test'}\n" for n, name in enumerate(names)))
    assert [item.name for item in sample.draw([data], 3, split)] == names[:1]


@pytest.mark.parametrize(
    ("age_years", "source", "population"),
    [(3, "ward", "child"), (18, "ward", "adult"), (None, "ward", "adult"), (None, "other", "")],
)
def test_population(age_years: float | None, source: str, population: str) -> None:
    item = Item("name", 0, "patient", bytes, source, age_years=age_years)
    assert sample.population(item, {"ward": "adult"}) == population
