"""The map of an image in words, and whether it is offered: a map that points nowhere is not shown as if it did."""

from __future__ import annotations

from dataclasses import dataclass

from db.states import Decision
from db.tables import Prediction
from imaging.cam import points, strongest_half, unpack

POINTS = (
    "Orange marks, coarsely, the smallest part of the X-ray that holds half of what spoke for pneumonia in this model. "
    "It shows what moved the model, not where a disease is, and an unmarked region is not a healthy one."
)
NOTHING = "No map: nowhere on this X-ray did the model see more signs of pneumonia than its cut-off asks for."
SPREAD = (
    "No map: what spoke for pneumonia is spread over the X-ray. Half of it covers {share} % of the picture, more than "
    "both lungs do, so a map would point nowhere."
)


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
    if points(cells, prediction.threshold):
        return MapView(is_shown=True, words=POINTS)
    share = float(strongest_half(cells, prediction.threshold).mean())
    return MapView(is_shown=False, words=SPREAD.format(share=round(100 * share)) if share else NOTHING)
