"""The lung network learns drawn chests within seconds."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.unit.training.lungs.chests import chest
from training.lungs import fit
from training.lungs.network import MASK_PX, SIDE_PX, LungNetwork


def test_learns_to_tell_lung_from_body() -> None:
    pairs = [chest(seed) for seed in range(12)]
    pixels = np.stack([image for image, _ in pairs])
    masks = np.stack([mask[::2, ::2] for _, mask in pairs])
    network = fit.fit(pixels[:8], masks[:8], steps=25, seed=0)
    probability = fit.predict(network, pixels[8:])
    assert probability.shape == (4, MASK_PX, MASK_PX)
    lung = masks[8:, ::2, ::2]
    assert probability[lung].mean() > probability[~lung].mean() + 0.4
    assert not network.training


def test_gray_values_may_have_any_scale() -> None:
    torch.manual_seed(0)
    network, gray = LungNetwork().eval(), torch.rand(2, SIDE_PX, SIDE_PX)
    with torch.inference_mode():
        assert torch.allclose(network(gray), network(0.25 * gray + 0.5), atol=0.05)


def test_overlap() -> None:
    one, other = torch.zeros(2, 4, 4), torch.zeros(2, 4, 4)
    one[:, :2] = 1
    other[0, :2] = 1
    other[1, 2:] = 1
    assert fit.dice(one, other).tolist() == pytest.approx([1, 1 / 17])
