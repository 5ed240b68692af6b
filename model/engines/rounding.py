"""Weights as 8-bit integers, rounded so that errors cancel instead of adding up.

Neighbouring pixels are alike and activations are positive, so what a convolution makes of rounding errors is mostly
their sum. Weights rounded to the nearest integer leave the sums to chance; here a few of each kernel, and then of each
filter, go to the other neighbour until the sum of the errors is below one half. It takes no image.

Source: SQuant (Guo et al., ICLR 2022, https://arxiv.org/abs/2202.07471).
"""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

WEIGHT_MAX = 127
"""Largest weight as an integer. CPUs without VNNI add two products of a byte and a weight in 16 bits, where this can
overflow: `auto` leaves them to float32 (model/engines/choice.py). Weights of 7 bits would fit there and cost agreement.
"""


class Rounded(NamedTuple):
    """weight = integers * step: (out, in, k, k) from -WEIGHT_MAX to WEIGHT_MAX, and (out, 1, 1, 1), both float32."""

    integers: Tensor
    step: Tensor


def rounded(weight: Tensor) -> Rounded:
    """float32 (out, in, k, k); each filter gets a step of its own, from its largest weight."""
    step = (weight.abs().amax((1, 2, 3), keepdim=True) / WEIGHT_MAX).clamp_min(1e-12)
    exact = weight / step
    kernels = _balanced(exact.round().flatten(2), exact.flatten(2))
    filters = _balanced(kernels.flatten(1), exact.flatten(1))
    return Rounded(filters.view_as(weight), step)


def _balanced(integers: Tensor, exact: Tensor) -> Tensor:
    """Move those that were rounded furthest by one, so that errors along the last axis sum to one half at most."""
    errors = integers - exact
    excess = errors.sum(-1, keepdim=True)
    furthest = (errors * excess.sign()).argsort(-1, descending=True).argsort(-1)  # the rank of each
    return integers - excess.sign() * (furthest < excess.abs().round())
