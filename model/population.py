"""Whose chest an image shows, and what follows: a calibration and an operating point of each population's own.

Where nobody knows the patient's age, a linear layer on the network's features tells a child from an adult. All is plain
arithmetic on `NetworkOutput`, in every engine alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import ModelInvalid
from core.populations import Known, Population, PopulationBy
from model import weights
from model.card import Populations
from model.output import NetworkOutput
from model.product import product
from model.weights import POPULATION_PREFIX

__all__ = ["POPULATION_PREFIX", "JudgedAs", "PopulationHead", "from_state", "judge"]

Floats = NDArray[np.float32]
NAME = f"{POPULATION_PREFIX}weight"


@dataclass(frozen=True, slots=True)
class JudgedAs:
    """The population as which an image is judged, and the `threshold` of that on the probability of pneumonia.

    `adult` is the probability that it is an adult's, as the network tells it, also where something else decided.
    """

    population: Population
    by: PopulationBy
    threshold: float
    adult: float


@dataclass(frozen=True)
class PopulationHead:
    """A layer on the network's last pooled features: float32 `weight` (513,), its bias last."""

    weight: Floats

    def adult(self, features: Floats) -> Floats:
        """Features (N, 768) -> float32 (N,), the probability that it is an adult's chest. The last 512 are used."""
        last = features[:, 1 - len(self.weight) :]
        logits = product(last, self.weight[None, :-1])[:, 0] + self.weight[-1]
        probability: Floats = np.exp(-np.logaddexp(np.float32(0), -logits))
        return probability

    def state(self) -> dict[str, Floats]:
        """The array by the name it has in a checkpoint's file."""
        return {NAME: self.weight}


def from_state(state: Mapping[str, Floats]) -> PopulationHead:
    """The inverse of `PopulationHead.state`.

    Raises:
        ModelInvalid: the array is missing, of another shape, or not finite.
    """
    shapes = weights.population()
    if set(state) != set(shapes):
        raise ModelInvalid("The layer by which the model tells children from adults is incomplete; train it again.")
    if state[NAME].shape != shapes[NAME] or not np.isfinite(state[NAME]).all():
        raise ModelInvalid("The layer by which the model tells children from adults is damaged; train it again.")
    return PopulationHead(state[NAME])


def judge(
    output: NetworkOutput[Floats], head: PopulationHead, points: Populations, known: Sequence[Known | None]
) -> tuple[NetworkOutput[Floats], list[JudgedAs]]:
    """The output of N images on the scale of each one's population, and which population that is.

    `known` has what is known of each image beforehand; for None the network tells. The map moves with the logit, so
    that its mean is the logit still.
    """
    judged = [
        _judged_as(float(adult), points, told) for adult, told in zip(head.adult(output.features), known, strict=True)
    ]
    own = [points.of(image.population) for image in judged]
    slope = np.array([point.slope for point in own], np.float32)
    intercept = np.array([point.intercept for point in own], np.float32)
    cam = output.cam * slope[:, None, None] + intercept[:, None, None]
    return NetworkOutput(output.logits * slope + intercept, cam, output.features), judged


def _judged_as(adult: float, points: Populations, told: Known | None) -> JudgedAs:
    by_network = Population.ADULT if adult >= 0.5 else Population.CHILD
    population, by = (by_network, PopulationBy.NETWORK) if told is None else (told.population, told.by)
    return JudgedAs(population, by, points.of(population).threshold, adult)
