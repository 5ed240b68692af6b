"""Fusing changes no answer, at the border of the image neither."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from model.fuse import Conv, fuse, planes
from model.resnet import GrayResNet
from tests.unit.model.factories import make_network


@pytest.fixture(scope="module")
def network() -> GrayResNet:
    """With statistics as after training, which a new network's ones and zeros would hide."""
    made = make_network()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        for module in made.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.get_buffer("running_mean").normal_(0, 0.3)
                module.get_buffer("running_var").uniform_(0.5, 2)
                nn.init.uniform_(module.weight, 0.5, 1.5)
                nn.init.normal_(module.bias, 0, 0.2)
    return made.requires_grad_(False)


def apply(conv: Conv, value: Tensor) -> Tensor:
    return functional.conv2d(value, conv.weight, conv.bias, conv.stride, conv.padding)


def images() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (2, 224, 224), dtype=np.uint8)


def test_the_stem_is_exact_up_to_the_border(network: GrayResNet) -> None:
    body, gray = network.body, images()
    expected = body.bn1(body.conv1(network.normalise(torch.from_numpy(gray))))
    fused = apply(fuse(network).stem, torch.from_numpy(planes(gray)).float())
    assert fused.shape == expected.shape
    assert torch.allclose(fused, expected, atol=1e-4)
    # The border alone tells padding with black from padding with the mean.
    assert not torch.allclose(expected[:, :, 0], expected[:, :, 5], atol=0.1)


@pytest.mark.parametrize("number", range(8))
def test_a_block_is_exact(network: GrayResNet, number: int) -> None:
    body = network.body
    block = [its for stage in (body.layer1, body.layer2, body.layer3, body.layer4) for its in stage][number]
    ours = fuse(network).blocks[number]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)
        value = torch.rand(1, ours.first.weight.shape[1], 14, 14)
    side = value if ours.shortcut is None else apply(ours.shortcut, value)
    fused = (apply(ours.second, apply(ours.first, value).relu()) + side).relu()
    assert torch.allclose(fused, block(value), atol=1e-4)


def test_the_head_gives_the_map(network: GrayResNet) -> None:
    gray = torch.from_numpy(images())
    body = network.body
    last = nn.Sequential(*list(body.children())[:-2])(network.normalise(gray))
    assert torch.allclose(apply(fuse(network).head, last)[:, 0], network(gray).cam, atol=1e-4)
