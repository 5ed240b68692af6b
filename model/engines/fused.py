"""The fused network in torch: a convolution, its bias and what follows, with nothing between them.

Runs on any device and in any floating type, so that what a GPU computes can be tested without one.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from imaging.transform import INPUT_PX
from model.fuse import MIDDLE, ONE, THIRD_STAGE, Conv, FusedResNet
from model.output import NetworkOutput
from model.tones import equalise


class FusedNetwork:
    """`fused` on `device` in `dtype`, convolutions in channels_last. Sums over a map are made in float32."""

    def __init__(self, fused: FusedResNet, device: torch.device, dtype: torch.dtype) -> None:
        self._device = device
        self._dtype = dtype
        self._stem = self._placed(fused.stem)
        self._blocks = [
            (
                self._placed(block.first),
                self._placed(block.second),
                self._placed(block.shortcut) if block.shortcut else None,
            )
            for block in fused.blocks
        ]
        self._equalised = fused.equalised
        self._head = fused.head.weight[0, :, 0, 0].to(device, torch.float32)
        self._head_bias = fused.head.bias.to(device, torch.float32)

    def planes(self, count: int) -> Tensor:
        """(count, 2, 224, 224) for `forward`, which writes the first plane and leaves the second as it is."""
        made = torch.full((count, 2, INPUT_PX, INPUT_PX), float(ONE), dtype=self._dtype, device=self._device)
        return made.to(memory_format=torch.channels_last)

    def forward(self, gray: Tensor, planes: Tensor) -> NetworkOutput[Tensor]:
        """uint8 (N, 224, 224) -> all that one pass gives, float32. `planes` (N, 2, 224, 224) is written to."""
        planes[:, 0].copy_(equalise(gray) if self._equalised else gray).sub_(MIDDLE)
        value = functional.max_pool2d(_convolved(planes, self._stem).relu_(), 3, 2, 1)
        third = value
        for number, (first, second, shortcut) in enumerate(self._blocks):
            inner = _convolved(_convolved(value, first).relu_(), second)
            value = inner.add_(value if shortcut is None else _convolved(value, shortcut)).relu_()
            if number == THIRD_STAGE:
                third = value
        cam = torch.matmul(self._head, value.float().flatten(2)).view(-1, *value.shape[2:]) + self._head_bias
        features = [stage.mean((2, 3), dtype=torch.float32) for stage in (third, value)]
        return NetworkOutput(cam.mean((1, 2)), cam, torch.cat(features, 1))

    def _placed(self, conv: Conv) -> Conv:
        weight = conv.weight.to(self._device, self._dtype).contiguous(memory_format=torch.channels_last)
        return Conv(weight, conv.bias.to(self._device, self._dtype), conv.stride)


def _convolved(value: Tensor, conv: Conv) -> Tensor:
    return functional.conv2d(value, conv.weight, conv.bias, conv.stride, conv.padding)
