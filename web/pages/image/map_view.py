"""The map of an image in words, and whether it is offered: a map that points nowhere is not shown as if it did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from db.states import Decision
from db.tables import Prediction
from imaging.cam import points, strongest_half, unpack

BETTER_THAN_CHANCE = 1.5
"""A model's maps are shown if on measured images this many times more of them lies inside the lungs than by chance."""

POINTS = (
    "Orange marks, coarsely, the smallest part of the X-ray that holds half of what spoke for pneumonia in this model. "
    "It shows what moved the model, not where a disease is, and an unmarked region is not a healthy one. "
)
NOTHING = "No map: nowhere on this X-ray did the model see more signs of pneumonia than its cut-off asks for."
SPREAD = (
    "No map: what spoke for pneumonia is spread over the X-ray. Half of it covers {share} % of the picture, which is "
    "more than both lungs take up, so a map would point nowhere."
)
AT_CHANCE = (
    "No map: this model's maps point nowhere. On measured X-rays {inside} % of what they mark lay inside the lungs, "
    "which take up {area} % of the picture."
)
MEASURED = "On measured X-rays {inside} % of such maps lay inside the lungs, which take up {area} % of the picture."
NOT_MEASURED = "How much of this model's maps lies inside the lungs was not measured."


@dataclass(frozen=True, slots=True)
class MapView:
    """`is_shown` says whether the page offers the map; `words` explain it, or why there is none."""

    is_shown: bool
    words: str


def describe_map(prediction: Prediction | None) -> MapView | None:
    """None where there is nothing to say: no result, one of a model without maps, or a refusal."""
    if prediction is None or prediction.cam is None or prediction.decision is Decision.REFUSED:
        return None
    cells = unpack(prediction.cam)
    share = float(strongest_half(cells, prediction.threshold).mean())
    if share == 0:
        return MapView(is_shown=False, words=NOTHING)
    if not points(cells, prediction.threshold):
        return MapView(is_shown=False, words=SPREAD.format(share=round(100 * share)))
    return _of_model(prediction.model.card)


def _of_model(card: Mapping[str, Any]) -> MapView:
    """What the model's card tells of its maps of pneumonias that were found (`training.evaluate.localisation`)."""
    measured = card.get("metrics", {}).get("map", {}).get("pneumonia, found")
    if measured is None or measured["inside"] is None:
        return MapView(is_shown=True, words=POINTS + NOT_MEASURED)
    percent = {"inside": round(100 * measured["inside"]), "area": round(100 * measured["area"])}
    if measured["inside"] < BETTER_THAN_CHANCE * measured["area"]:
        return MapView(is_shown=False, words=AT_CHANCE.format(**percent))
    return MapView(is_shown=True, words=POINTS + MEASURED.format(**percent))
