"""Rounded weights stay close to what they were, each by itself and above all in sum."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from model.engines.rounding import WEIGHT_MAX, rounded


def drawn(seed: int, shape: tuple[int, int, int, int], scale: float) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * scale


@given(
    st.integers(0, 2**32),
    st.tuples(st.integers(1, 8), st.integers(1, 40), st.just(3), st.just(3))
    | st.tuples(st.integers(1, 8), st.integers(1, 200), st.just(1), st.just(1)),
    st.sampled_from([1e-4, 1.0, 1e3]),
)
@settings(deadline=None)
def test_errors_cancel_and_stay_below_one(seed: int, shape: tuple[int, int, int, int], scale: float) -> None:
    weight = drawn(seed, shape, scale)
    integers, step = rounded(weight)
    errors = integers - weight / step
    assert torch.equal(integers, integers.round())
    assert integers.abs().max() <= WEIGHT_MAX
    assert errors.abs().max() < 1
    assert errors.sum((1, 2, 3)).abs().max() <= 0.5 + 1e-2  # sums of thousands of float32


def test_what_a_flat_image_gives_is_kept() -> None:
    weight = drawn(1, (64, 64, 3, 3), 0.1)
    integers, step = rounded(weight)
    nearest = (weight / step).round() * step

    def error(other: Tensor) -> float:
        return float((other - weight).sum((1, 2, 3)).square().mean())

    assert error(integers * step) < error(nearest) / 20


def test_the_largest_weight_of_each_filter_is_exact() -> None:
    weight = drawn(2, (5, 7, 3, 3), 2.0)
    integers, step = rounded(weight)
    largest = weight.abs().flatten(1).argmax(1, keepdim=True)
    assert (integers * step).flatten(1).gather(1, largest) == pytest.approx(weight.flatten(1).gather(1, largest))


def test_integers_are_kept_as_they_are() -> None:
    weight = torch.randint(-WEIGHT_MAX, WEIGHT_MAX + 1, (4, 6, 3, 3), generator=torch.Generator().manual_seed(3))
    weight[:, 0, 0, 0] = WEIGHT_MAX
    assert torch.equal(rounded(weight * 0.25).integers, weight.float())


def test_a_filter_of_zeros() -> None:
    assert not rounded(torch.zeros(2, 3, 3, 3)).integers.any()
