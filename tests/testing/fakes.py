"""A fake engine, without torch, whose answer follows from the brightness of an image; and a model on it."""

from __future__ import annotations

import threading

import numpy as np
from numpy.typing import NDArray

from core.errors import OutOfMemory
from model.card import OperatingPoint
from model.engines import Engine
from model.gate import KINDS, Gate
from model.loaded import LoadedModel
from model.ood import OodStatistics
from model.output import NetworkOutput
from model.population import PopulationHead
from tests.testing.cards import GATE, LIMIT, POPULATIONS, make_card

FAKE_NAME = "fake-brightness"
FAKE_SHA256 = "f" * 64

Floats = NDArray[np.float32]

# One feature, which is the score: its contrast, for the distance is divided by so large a variance.
_FEATURE_IS_SCORE = OodStatistics(
    mean=np.zeros(1, np.float32),
    scale=np.ones(1, np.float32),
    basis=np.zeros((0, 1), np.float32),
    variance=np.array([1e9], np.float32),
    weight=np.array([1, 0], np.float32),
    ranges=np.array([[0, 1], [0, 1]], np.float32),
)


# Of the same feature: a lateral view from 0.5 on, else a frontal one, which is AP from 0.2 on.
_FEATURE_IS_KIND = Gate(
    mean=np.zeros(1, np.float32),
    scale=np.ones(1, np.float32),
    hidden=np.array([[1, 0]], np.float32),
    weight=np.array([{"frontal": [0, 0], "lateral": [1000, -500]}.get(kind, [0, -1000]) for kind in KINDS], np.float32),
    view=np.array([1000, -200], np.float32),
)

# Of the same feature: an adult from 0.3 on.
_FEATURE_IS_ADULT = PopulationHead(np.array([1000, -300], np.float32))


class FakeEngine:
    """Gives an image's mean brightness (0..1) as its probability, so that a test knows the answer beforehand.

    Its ood score is the image's darkest pixel (0..1), so that only an image without any dark is refused.
    `largest_batch` is what fits its memory; `gate`, when given, holds each forward pass until it is set.
    """

    name = "fake"
    batch_size = 3

    def __init__(self, largest_batch: int = 1_000_000, gate: threading.Event | None = None) -> None:
        self.batch_sizes: list[int] = []
        self._largest_batch = largest_batch
        self._gate = gate

    def forward(self, pixels: NDArray[np.uint8]) -> NetworkOutput[Floats]:
        if len(pixels) > self._largest_batch:
            raise OutOfMemory(f"A batch of {len(pixels)} images does not fit into memory.")
        if self._gate is not None and not self._gate.wait(timeout=120):
            raise TimeoutError("the test never opened the gate")
        self.batch_sizes.append(len(pixels))
        return output(pixels.mean(axis=(1, 2)) / 255, pixels.min((1, 2)) / 255)


def output(probability: NDArray[np.floating], ood_score: NDArray[np.floating] | None = None) -> NetworkOutput[Floats]:
    """The output from which `fake_model` concludes these, with flat maps that are the probability."""
    score = np.zeros(len(probability)) if ood_score is None else ood_score
    with np.errstate(divide="ignore"):
        logits = np.log(probability) - np.log1p(-probability)
    cam = np.broadcast_to(probability[:, None, None], (len(probability), 7, 7))
    return NetworkOutput(logits.astype(np.float32), cam.astype(np.float32), score[:, None].astype(np.float32))


def fake_model(
    engine: Engine | None = None,
    *,
    name: str = FAKE_NAME,
    sha256: str = FAKE_SHA256,
    threshold: float = 0.5,
    ood_limit: float | None = 0.9,
    gate: bool = False,
    populations: bool = False,
) -> LoadedModel:
    """A model on a `FakeEngine`. The limit leaves synthetic radiographs alone; with None it has no statistics.

    A `gate` calls an image lateral whose darkest pixel is 0.5 or brighter, and AP one above 0.2. With `populations` it
    is an adult's whose darkest pixel is brighter than 0.3; calibrations and thresholds are those of `POPULATIONS`.
    """
    point = OperatingPoint(threshold=threshold, rule="fixed")
    limit = None if ood_limit is None else LIMIT.model_copy(update={"limit": ood_limit})
    sections = {"ood": limit, "gate": GATE if gate else None, "populations": POPULATIONS if populations else None}
    card = make_card(name=name, operating_point=point, **sections)
    statistics, kind = None if limit is None else _FEATURE_IS_SCORE, _FEATURE_IS_KIND if gate else None
    head = _FEATURE_IS_ADULT if populations else None
    return LoadedModel(card, sha256, engine or FakeEngine(), statistics, kind, head)
