"""How unlike its training images an image is to the network: two published scores on its features, as one number.

* *Distance*: Mahalanobis distance to the training images (Lee et al. 2018, arXiv:1807.03888) without regard to
  class (Kamoi and Kobayashi 2020, arXiv:2003.00402), in the leading principal components, the rest as one variance
  (probabilistic PCA, Tipping and Bishop 1999). Finds what is unlike any chest X-ray, whatever it is.
* *Contrast*: a linear layer between training images and spoilt copies of them: turned, inverted, shuffled, cropped
  (outlier exposure, Hendrycks et al. 2019, arXiv:1812.04606). Finds what has the texture of an X-ray and not the
  anatomy of an upright chest.

Each is scaled so that 0 is a typical training image and 1 its limit; the score is the larger one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from core.errors import ModelInvalid
from model import weights
from model.product import product
from model.weights import OOD_PREFIX

__all__ = ["OOD_PREFIX", "OodStatistics", "from_state"]

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class OodStatistics:
    """Statistics of D = 768 features of the training images (`NetworkOutput.features`), all float32.

    Attributes:
        mean, scale: (D,), to standardise with.
        basis: (k, D), principal components of the standardised features, one a row.
        variance: (k + 1,), along each component, then the mean one of all that is left.
        weight: (D + 1,), the contrast's linear layer on standardised features, then its bias.
        ranges: (2, 2), per score (distance, contrast) the values that become 0 and 1.
    """

    mean: Floats
    scale: Floats
    basis: Floats
    variance: Floats
    weight: Floats
    ranges: Floats

    def score(self, features: Floats) -> Floats:
        """Features (N, D) -> float32 (N,), above 1 for what the model was not made for."""
        standard = self.standardised(features)
        raw = np.stack([self.distance(standard), self.contrast(standard)], axis=1)
        low, high = self.ranges.T
        score: Floats = ((raw - low) / (high - low)).max(1)
        return score

    def standardised(self, features: Floats) -> Floats:
        return (features - self.mean) / self.scale

    def distance(self, standard: Floats) -> Floats:
        """Squared Mahalanobis distance (N,) of standardised features, divided by their number."""
        along = np.square(product(standard, self.basis))
        rest = np.square(standard).sum(1) - along.sum(1)
        within = (along / self.variance[:-1]).sum(1)
        distance: Floats = (within + rest.clip(0) / self.variance[-1]) / standard.shape[1]
        return distance

    def contrast(self, standard: Floats) -> Floats:
        """Logit (N,) of being a spoilt copy."""
        logit: Floats = product(standard, self.weight[None, :-1])[:, 0] + self.weight[-1]
        return logit

    def state(self) -> dict[str, Floats]:
        """The arrays by the names they have in a checkpoint's file."""
        return {OOD_PREFIX + field.name: getattr(self, field.name) for field in fields(self)}


def from_state(state: Mapping[str, Floats]) -> OodStatistics:
    """The inverse of `OodStatistics.state`.

    Raises:
        ModelInvalid: an array is missing, of another shape, or not finite.
    """
    arrays = {name.removeprefix(OOD_PREFIX): array for name, array in state.items()}
    if set(arrays) != {field.name for field in fields(OodStatistics)}:
        raise ModelInvalid("The model's statistics of its training images are incomplete; add them again.")
    shapes = weights.ood(len(arrays["basis"]))
    for name, array in arrays.items():
        if array.shape != shapes[OOD_PREFIX + name] or not np.isfinite(array).all():
            raise ModelInvalid(f"The model's statistics of its training images ({name}) are damaged; add them again.")
    return OodStatistics(**arrays)
