"""What an image shows, told from the network's features: an upright frontal chest X-ray, or what it is instead.

Two trained layers beside the statistics of model/ood.py. Those find what is unlike all training images; these name
what is near to them and yet not to be judged: a lateral view, a film that lies on its side, a negative. A linear layer
beside them tells the view of a frontal one. All is plain arithmetic on `NetworkOutput.features`, in every engine alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from core.errors import ModelInvalid
from core.kinds import ImageKind
from model import weights
from model.product import product
from model.weights import GATE_PREFIX

__all__ = ["FRONTAL", "GATE_PREFIX", "KINDS", "Gate", "from_state"]

KINDS = tuple(ImageKind)
"""In the order of the layer's outputs. It is a part of the file's format: what is added goes to its end."""
FRONTAL = KINDS.index(ImageKind.FRONTAL)

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Gate:
    """Layers on D = 768 standardised features, with H units in the hidden one, all float32.

    Attributes:
        mean, scale: (D,), to standardise with.
        hidden: (H, D + 1), a row for each hidden unit, its bias last.
        weight: (len(KINDS), H + 1), a row for each kind, its bias last.
        view: (D + 1,), from which AP is told from PA, its bias last.
    """

    mean: Floats
    scale: Floats
    hidden: Floats
    weight: Floats
    view: Floats

    def kinds(self, features: Floats) -> Floats:
        """Features (N, D) -> float32 (N, len(KINDS)), the probability of each kind; a row sums to 1."""
        hidden = _linear(self._standardised(features), self.hidden).clip(0)
        logits = _linear(hidden, self.weight)
        raised = np.exp(logits - logits.max(1, keepdims=True))
        kinds: Floats = raised / raised.sum(1, keepdims=True)
        return kinds

    def ap(self, features: Floats) -> Floats:
        """Features (N, D) -> float32 (N,), the probability that a frontal image is AP rather than PA."""
        logits = _linear(self._standardised(features), self.view[None])[:, 0]
        probability: Floats = np.exp(-np.logaddexp(np.float32(0), -logits))
        return probability

    def state(self) -> dict[str, Floats]:
        """The arrays by the names they have in a checkpoint's file."""
        return {GATE_PREFIX + field.name: getattr(self, field.name) for field in fields(self)}

    def _standardised(self, features: Floats) -> Floats:
        return (features - self.mean) / self.scale


def from_state(state: Mapping[str, Floats]) -> Gate:
    """The inverse of `Gate.state`.

    Raises:
        ModelInvalid: an array is missing, of another shape, or not finite.
    """
    shapes = weights.gate(len(state.get(f"{GATE_PREFIX}hidden", ())))
    if set(state) != set(shapes):
        raise ModelInvalid("The model's gate is incomplete; add it again.")
    for name, array in state.items():
        if array.shape != shapes[name] or not np.isfinite(array).all():
            raise ModelInvalid(f"The model's gate ({name.removeprefix(GATE_PREFIX)}) is damaged; add it again.")
    return Gate(**{name.removeprefix(GATE_PREFIX): array for name, array in state.items()})


def _linear(inputs: Floats, weight: Floats) -> Floats:
    """(N, D) by (k, D + 1), the bias last in each row -> (N, k)."""
    output: Floats = product(inputs, weight[:, :-1]) + weight[:, -1]
    return output
