"""The card is strict: what it does not know it refuses."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from model.card import Card, OperatingPoint
from tests.unit.model.factories import make_card


def test_survives_json() -> None:
    assert Card.model_validate_json(make_card().model_dump_json()) == make_card()


def test_is_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        make_card().name = "other"  # type: ignore[misc]  # that is the point


@pytest.mark.parametrize("name", ["", "Upper", "with space", "../up", "x" * 65])
def test_names_are_safe_in_paths_and_labels(name: str) -> None:
    values = make_card().model_dump() | {"name": name}
    with pytest.raises(ValidationError, match="name"):
        Card.model_validate(values)


def test_unknown_field() -> None:
    with pytest.raises(ValidationError, match="extra"):
        Card.model_validate(make_card().model_dump() | {"surprise": 1})


@pytest.mark.parametrize("threshold", [-0.1, 1.1, float("nan")])
def test_threshold_is_a_probability(threshold: float) -> None:
    with pytest.raises(ValidationError):
        OperatingPoint(threshold=threshold, rule="")
