"""The fused network as an OpenVINO graph: in float32, quantised, or with the largest activations as its outputs.

Built operation by operation. OpenVINO's converter for torch gives the same graph, but traces the network first, which
takes seconds.

A FakeQuantize on each input of a convolution is what OpenVINO's low-precision transformations ask for: the plugin
then runs it on 8-bit integers. All convolutions are quantised but three: the stem and the head, which take little time,
and the first one of the first block. The stem's channels differ most in range, so one step for all of them rounds the
small ones away: its output alone moves logits by 0.04 (standard deviation), that of any other by 0.014 or less. What
a shortcut carries past a block is added in floating point and never rounded.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from torch import Tensor

from imaging.transform import INPUT_PX
from model.card import Quantization
from model.engines.rounding import rounded
from model.engines.runtime import ops, ov
from model.fuse import THIRD_STAGE, Block, Conv, FusedResNet

Hook = Callable[[str, ov.Node], ov.Node]
"""Called with the name and the value of each activation that is to be quantised; gives the value that replaces it."""

LEVELS = 256


def floating(fused: FusedResNet, batch: int) -> ov.Model:
    """int8 (batch, 2, 224, 224) -> float32 map (batch, 1, 7, 7) and features (batch, 768)."""
    return _Builder(fused, lambda name, value: value, integer=False).model(batch)


def quantised(fused: FusedResNet, quantization: Quantization, batch: int) -> ov.Model:
    """The same with activations and weights of 8 bits; activations reach up to their ranges."""

    def hook(name: str, value: ov.Node) -> ov.Node:
        low, high = np.float32(0), np.float32(quantization.ranges[name])
        return ops.fake_quantize(value, low, high, low, high, LEVELS)

    head = replace(fused.head, bias=fused.head.bias - quantization.shift)
    return _Builder(replace(fused, head=head), hook, integer=True).model(batch)


def observing(fused: FusedResNet) -> tuple[ov.Model, list[str]]:
    """A graph for one image whose outputs, float32 scalars, are the largest magnitudes of the activations named."""
    names: list[str] = []
    outputs: list[ov.Node] = []

    def hook(name: str, value: ov.Node) -> ov.Node:
        names.append(name)
        outputs.append(ops.reduce_max(ops.abs(value), np.arange(4), keep_dims=False))
        return value

    builder = _Builder(fused, hook, integer=False)
    builder.model(1)
    return ov.Model(outputs, [builder.planes], "activations"), names


class _Builder:
    def __init__(self, fused: FusedResNet, hook: Hook, *, integer: bool) -> None:
        self._fused = fused
        self._hook = hook
        self._integer = integer
        self.planes: ov.Node

    def model(self, batch: int) -> ov.Model:
        fused = self._fused
        self.planes = ops.parameter([batch, 2, INPUT_PX, INPUT_PX], np.int8, "planes")
        stem = self._convolved(fused.stem, ops.convert(self.planes, "f32"), integer=False)
        value = self._pooled(ops.relu(stem))
        third = value
        for number, block in enumerate(fused.blocks):
            value = self._block(number, block, value)
            if number == THIRD_STAGE:
                third = value
        cam = self._convolved(fused.head, value, integer=False)
        features = ops.concat([ops.reduce_mean(stage, np.array([2, 3])) for stage in (third, value)], 1)
        return ov.Model([cam, features], [self.planes], "resnet18")

    def _block(self, number: int, block: Block, value: ov.Node) -> ov.Node:
        after_stem = number == 0
        taken = value if after_stem else self._hook(f"{number - 1}.out", value)
        first = ops.relu(self._convolved(block.first, taken, integer=not after_stem))
        second = self._convolved(block.second, self._hook(f"{number}.first", first), integer=True)
        shortcut = value if block.shortcut is None else self._convolved(block.shortcut, taken, integer=True)
        return ops.relu(ops.add(second, shortcut))

    def _convolved(self, conv: Conv, value: ov.Node, *, integer: bool) -> ov.Node:
        weight = _quantised(conv.weight) if integer and self._integer else ops.constant(conv.weight.numpy())
        strides, padding = [conv.stride] * 2, [conv.padding] * 2
        product = ops.convolution(value, weight, strides, padding, padding, [1, 1])
        return ops.add(product, ops.constant(conv.bias.numpy()[None, :, None, None]))

    @staticmethod
    def _pooled(value: ov.Node) -> ov.Node:
        node: ov.Node = ops.max_pool(value, [2, 2], [1, 1], [1, 1], [1, 1], [3, 3], "floor")
        return node.output(0)


def _quantised(weight: Tensor) -> ov.Node:
    integers, step = rounded(weight)
    low, high = (step * (-LEVELS // 2)).numpy(), (step * (LEVELS // 2 - 1)).numpy()
    return ops.fake_quantize(ops.constant((integers * step).numpy()), low, high, low, high, LEVELS)
