"""ResNet-18 as convolutions alone: batch normalisation, and what precedes them, fused into their weights exactly.

The first convolution takes two planes, gray and one that is the same throughout. The backbone subtracts a mean from
gray and then pads with zeros; as a bias that subtraction would reach into the padding and change the border. On a plane
of its own it is padded with zeros too. Gray is taken from the middle of its range, near that mean: what the two planes
give then hardly cancels, so that weights rounded to bfloat16 do no harm (model/engines/openvino.py).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock

from model.resnet import GrayResNet

WHITE = 255
MIDDLE = 128
"""The gray that is 0 in the first plane."""
ONE = 127
"""Value of the second plane."""
THIRD_STAGE = 5
"""Number of the block whose output is the third stage's."""


@dataclass(frozen=True)
class Conv:
    """weight (out, in, k, k) and bias (out,), float32; zero padding of k // 2 on each side."""

    weight: Tensor
    bias: Tensor
    stride: int = 1

    @property
    def padding(self) -> int:
        return self.weight.shape[-1] // 2


@dataclass(frozen=True)
class Block:
    """relu(second(relu(first(x))) + shortcut(x)); `shortcut` None is the identity."""

    first: Conv
    second: Conv
    shortcut: Conv | None


@dataclass(frozen=True)
class FusedResNet:
    """`stem`, relu, max-pooling (3 x 3, stride 2, padding 1), eight blocks of which two make a stage, and `head`.

    `head` is the one linear layer as a 1 x 1 convolution, which gives the class activation map. Before the stem gray
    becomes its rank if `equalised`.
    """

    stem: Conv
    blocks: tuple[Block, ...]
    head: Conv
    equalised: bool = False


@torch.no_grad()
def fuse(network: GrayResNet) -> FusedResNet:
    """Fuse in float64, so that only the last rounding to float32 differs from the network."""
    body = network.body
    stages = (body.layer1, body.layer2, body.layer3, body.layer4)
    return FusedResNet(
        stem=_stem(network),
        blocks=tuple(_block(block) for stage in stages for block in stage),
        head=Conv(body.fc.weight.detach().float()[:, :, None, None], body.fc.bias.detach().float()),
        equalised=network.equalised,
    )


def planes(gray: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """uint8 (N, 224, 224) -> int8 (N, 2, 224, 224), which `FusedResNet.stem` takes as numbers from -128 to 127."""
    centred = (gray ^ MIDDLE).view(np.int8)  # flips the sign bit, which subtracts MIDDLE
    return np.stack([centred, np.full_like(centred, ONE)], axis=1)


def _stem(network: GrayResNet) -> Conv:
    conv = _fused_conv(network.body.conv1, network.body.bn1)
    mean, std = network.get_buffer("mean").double(), network.get_buffer("std").double()
    weight = conv.weight.double()
    gray = (weight / (WHITE * std)).sum(1)
    constant = (MIDDLE * gray - (weight * mean / std).sum(1)) / ONE
    return Conv(torch.stack([gray, constant], dim=1).float(), conv.bias.float(), conv.stride)


def _block(block: BasicBlock) -> Block:
    shortcut = block.downsample
    return Block(
        first=_float(_fused_conv(block.conv1, block.bn1)),
        second=_float(_fused_conv(block.conv2, block.bn2)),
        shortcut=None if shortcut is None else _float(_fused_conv(shortcut[0], shortcut[1])),
    )


def _fused_conv(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> Conv:
    """Return `conv` and the `norm` behind it as one convolution, in float64."""
    mean, variance = norm.get_buffer("running_mean").double(), norm.get_buffer("running_var").double()
    scale = norm.weight.double() / torch.sqrt(variance + norm.eps)
    return Conv(conv.weight.double() * scale[:, None, None, None], norm.bias.double() - mean * scale, conv.stride[0])


def _float(conv: Conv) -> Conv:
    return Conv(conv.weight.float(), conv.bias.float(), conv.stride)
