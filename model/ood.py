"""How unlike its training images an image is to the network: two published scores on pooled features, as one number.

* *Distance*: Mahalanobis distance to the training images (Lee et al. 2018, arXiv:1807.03888) without regard to
  class (Kamoi and Kobayashi 2020, arXiv:2003.00402), in the leading principal components, the rest as one variance
  (probabilistic PCA, Tipping and Bishop 1999). Finds what is unlike any chest X-ray, whatever it is.
* *Contrast*: a linear layer between training images and spoilt copies of them: turned, inverted, shuffled, cropped
  (outlier exposure, Hendrycks et al. 2019, arXiv:1812.04606). Finds what has the texture of an X-ray and not the
  anatomy of an upright chest.

Each is scaled so that 0 is a typical training image and 1 its limit; the score is the larger one.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from core.errors import ModelInvalid
from model import weights
from model.weights import DOMAIN_PREFIX as PREFIX

__all__ = ["PREFIX", "Domain", "from_state"]


@dataclass(frozen=True)
class Domain:
    """Statistics of D = 768 pooled features of the training images, all float32.

    Attributes:
        mean, scale: (D,), to standardise with.
        basis: (k, D), principal components of the standardised features, one a row.
        variance: (k + 1,), along each component, then the mean one of all that is left.
        weight: (D + 1,), the contrast's linear layer on standardised features, then its bias.
        ranges: (2, 2), per score (distance, contrast) the values that become 0 and 1.
    """

    mean: Tensor
    scale: Tensor
    basis: Tensor
    variance: Tensor
    weight: Tensor
    ranges: Tensor

    def score(self, features: Tensor) -> Tensor:
        """Features (N, D) -> float32 (N,), above 1 for what the model was not made for."""
        standard = (features.float() - self.mean) / self.scale
        raw = torch.stack([self.distance(standard), self.contrast(standard)], dim=1)
        low, high = self.ranges.unbind(1)
        return ((raw - low) / (high - low)).amax(1)

    def distance(self, standard: Tensor) -> Tensor:
        """Squared Mahalanobis distance (N,) of standardised features, divided by their number."""
        along = standard @ self.basis.T
        rest = standard.square().sum(1) - along.square().sum(1)
        within = (along.square() / self.variance[:-1]).sum(1)
        return (within + rest.clamp_min(0) / self.variance[-1]) / standard.shape[1]

    def contrast(self, standard: Tensor) -> Tensor:
        """Logit (N,) of being a spoilt copy."""
        return standard @ self.weight[:-1] + self.weight[-1]

    def to(self, device: torch.device) -> Domain:
        return Domain(**{name: tensor.to(device) for name, tensor in self._tensors().items()})

    def state(self) -> dict[str, Tensor]:
        """The tensors by the names they have in a checkpoint's file."""
        return {PREFIX + name: tensor.contiguous() for name, tensor in self._tensors().items()}

    def _tensors(self) -> dict[str, Tensor]:
        return {field.name: getattr(self, field.name) for field in fields(self)}


def from_state(state: dict[str, Tensor]) -> Domain:
    """The inverse of `Domain.state`.

    Raises:
        ModelInvalid: a tensor is missing, of another shape, or not finite.
    """
    tensors = {name.removeprefix(PREFIX): tensor.float() for name, tensor in state.items()}
    if set(tensors) != {field.name for field in fields(Domain)}:
        raise ModelInvalid("The model's domain statistics are incomplete; add them again.")
    shapes = weights.domain(len(tensors["basis"]))
    for name, tensor in tensors.items():
        if tuple(tensor.shape) != shapes[PREFIX + name] or not bool(tensor.isfinite().all()):
            raise ModelInvalid(f"The model's domain statistics ({name}) are damaged; add them again.")
    return Domain(**tensors)
