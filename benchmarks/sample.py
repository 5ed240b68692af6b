"""A few labelled images of each source and class, as files."""

from __future__ import annotations

import csv
import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from core.errors import InvalidInput
from core.populations import CHILD_BELOW_YEARS
from training.data.sources import Item, items


def draw(sets: Sequence[Path], each: int, split: Path | None = None) -> list[Item]:
    """Up to `each` images of every class of every source, always the same ones, whatever else the sets hold.

    With the `split.csv` of a run only images of its test part, which its model has not seen.

    Raises:
        InvalidInput: there are none, or a set cannot be used.
    """
    unseen = None if split is None else _test_part(split)
    cells: dict[tuple[str, int], list[Item]] = defaultdict(list)
    for path in sets:
        for item in items(path):
            name = f"{path.stem}/{item.name}"  # as `training.data.dataset.read_dataset` names it
            if unseen is None or name in unseen:
                cells[item.source, item.label].append(replace(item, name=name))
    if not cells:
        raise InvalidInput(
            f"{', '.join(map(str, sets))} has no labelled images{' of that test part' if split else ''}."
        )
    return [item for cell in sorted(cells) for item in sorted(cells[cell], key=_by_chance)[:each]]


def population(item: Item, populations: dict[str, str]) -> str:
    """`child` or `adult`, by age or, where that is not known, by source; empty where neither tells it."""
    if item.age_years is None:
        return populations.get(item.source, "")
    return "adult" if item.age_years >= CHILD_BELOW_YEARS else "child"


def _by_chance(item: Item) -> bytes:
    return hashlib.sha256(item.name.encode()).digest()


def _test_part(split: Path) -> set[str]:
    with split.open(newline="", encoding="utf-8") as lines:
        return {row["name"] for row in csv.DictReader(lines) if row["part"] == "test"}
