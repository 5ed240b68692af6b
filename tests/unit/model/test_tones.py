"""Equalised tones: blind to rising curves, margins and black; every engine does the same before the network."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from model import resnet
from model.engines.fused import FusedNetwork
from model.engines.openvino import OpenVinoEngine
from model.engines.torch import TorchEngine
from model.fuse import fuse
from model.tones import equalise

Gray = NDArray[np.uint8]


def film(seed: int = 0) -> Gray:
    """Smooth, of all grays from 40 to 199, uint8 (224, 224)."""
    rng = np.random.default_rng(seed)
    coarse = torch.from_numpy(rng.random((1, 1, 9, 9)))
    smooth = torch.nn.functional.interpolate(coarse, (224, 224), mode="bicubic", align_corners=True)[0, 0].numpy()
    low, high = smooth.min(), smooth.max()
    return np.asarray(40 + 159 * (smooth - low) / (high - low), np.uint8)


def equalised(gray: Gray) -> Gray:
    return np.asarray(equalise(torch.from_numpy(gray[None])).numpy()[0])


def test_grays_of_the_middle_become_equally_frequent() -> None:
    counts = np.histogram(equalised(film())[14:-14, 14:-14], 8, (0, 256))[0] / 196**2
    assert np.abs(counts - 1 / 8).max() < 0.03


@pytest.mark.parametrize("gamma", [0.5, 1.8])
def test_a_rising_curve_of_tones_changes_next_to_nothing(gamma: float) -> None:
    """What rounding to bytes merges is all that it changes."""
    curved = np.rint(255 * (film() / 255) ** gamma).astype(np.uint8)
    assert np.abs(equalised(curved).astype(int) - equalised(film())).max() <= 3


def test_margins_and_a_black_corner_leave_the_rest_nearly_as_it_is() -> None:
    covered = film()
    covered[:14] = 0
    covered[150:, 150:] = 0
    lit = covered > 0
    difference = equalised(covered)[lit].astype(int) - equalised(film())[lit]
    assert np.abs(difference).mean() < 10


def test_an_image_of_one_gray_stays_as_it_is() -> None:
    flat = np.full((224, 224), 77, np.uint8)
    assert np.array_equal(equalised(flat), flat)


def test_images_of_a_batch_do_not_mix() -> None:
    batch = torch.from_numpy(np.stack([film(1), film(2), 255 - film(3)]))
    assert torch.equal(equalise(batch), torch.cat([equalise(one[None]) for one in batch]))


def test_every_engine_equalises_before_the_network() -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = resnet.build(equalised=True)
    plain = resnet.build()
    plain.load_state_dict(network.state_dict())
    gray = np.stack([film(1), film(2)])
    reference = TorchEngine(plain).forward(equalise(torch.from_numpy(gray)).numpy()).features
    assert np.abs(TorchEngine(plain).forward(gray).features - reference).max() > 0.01
    fused = FusedNetwork(fuse(network), torch.device("cpu"), torch.float32)
    outputs = [
        TorchEngine(network).forward(gray).features,
        OpenVinoEngine(network, None).forward(gray).features,
        fused.forward(torch.from_numpy(gray), fused.planes(2)).features.numpy(),
    ]
    assert [np.allclose(features, reference, atol=1e-3) for features in outputs] == [True] * 3
