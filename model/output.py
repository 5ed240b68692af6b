"""What the network computes of a batch, before anything is concluded from it. No torch here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

Array = TypeVar("Array")
"""`torch.Tensor` inside of a network, `NDArray[np.float32]` outside of an engine."""


class NetworkOutput(NamedTuple, Generic[Array]):
    """Of N images, float32.

    Attributes:
        logits: (N,), calibrated logit of pneumonia.
        cam: (N, 7, 7), class activation map (Zhou et al. 2016, arXiv:1512.04150). The network pools globally before
            its one linear layer, so the map is exact: its mean is the logit.
        features: (N, 768), global averages of the last two stages, from which the ood score is made (model/ood.py).
    """

    logits: Array
    cam: Array
    features: Array


def joined(parts: Sequence[NetworkOutput[NDArray[np.float32]]]) -> NetworkOutput[NDArray[np.float32]]:
    """Batches as one; there must be one at least."""
    return NetworkOutput(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))
