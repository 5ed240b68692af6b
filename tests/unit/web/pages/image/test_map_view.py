"""Whether the page offers a map, and what it says of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from db.states import Decision
from db.tables import Model, Prediction
from imaging.cam import pack
from web.pages.image import map_view
from web.pages.image.map_view import MapView, describe_map

POINTING = np.pad(np.full((2, 2), 3.0), (2, 3), constant_values=-3)


def described(
    cells: Any = POINTING, decision: Decision = Decision.PNEUMONIA, **measured: float | None
) -> MapView | None:
    """What is said of a map by a model whose card has these figures of its maps."""
    metrics = {"map": {"pneumonia, found": measured}} if measured else {}
    return describe_map(
        Prediction(
            cam=None if cells is None else pack(np.asarray(cells, np.float16)),
            threshold=0.5,
            decision=decision,
            model=Model(card={"metrics": metrics}),
        )
    )


def test_a_map_that_points_is_shown_with_what_was_measured() -> None:
    assert described(inside=0.853, area=0.3) == MapView(
        is_shown=True, words=map_view.POINTS + map_view.MEASURED.format(inside=85, area=30)
    )


@pytest.mark.parametrize("shown", [described(), described(inside=None, area=0.3)])
def test_what_was_not_measured_is_told(shown: MapView | None) -> None:
    assert shown == MapView(is_shown=True, words=map_view.POINTS + map_view.NOT_MEASURED)


def test_maps_of_a_model_that_point_by_chance_are_not_shown() -> None:
    hidden = described(inside=0.31, area=0.3)
    assert hidden is not None
    assert not hidden.is_shown
    assert "31 % of what they mark lay inside the lungs, which take up 30 %" in hidden.words


def test_evidence_that_is_spread_is_not_shown() -> None:
    assert described(np.full((7, 7), 2.0), inside=0.9, area=0.3) == MapView(
        is_shown=False, words=map_view.SPREAD.format(share=51)
    )


def test_without_evidence_there_is_no_map() -> None:
    assert described(np.full((7, 7), -2.0)) == MapView(is_shown=False, words=map_view.NOTHING)


def test_nothing_is_said_without_a_map_or_of_a_refused_image() -> None:
    assert describe_map(None) is None
    assert described(None) is None
    assert described(decision=Decision.REFUSED) is None
