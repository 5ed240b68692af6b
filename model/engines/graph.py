"""The folded network as an OpenVINO graph: in float32, quantised, or with the largest activations as its outputs.

Built operation by operation. OpenVINO's converter for torch gives the same graph, but traces the network first, which
takes twenty times as long as this.

A FakeQuantize on each input of a convolution is what OpenVINO's low-precision transformations ask for: the plugin
then runs it on 8-bit integers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from torch import Tensor

from model.card import Quantization
from model.engines.runtime import ops, ov
from model.folding import THIRD_STAGE, Block, Conv, Folded
from model.preprocess import SIZE

Tap = Callable[[str, ov.Node], ov.Node]
"""Called with the name and the value of each activation that is to be quantised; gives what goes on in its place."""

LEVELS = 256
WEIGHT_MAX = 127
"""Largest weight as an integer. CPUs without VNNI add two products of a byte and a weight in 16 bits, where this can
overflow: `auto` leaves them to float32 (model/engines/choice.py). Weights of 7 bits would fit there and cost agreement.
"""
FLOATING_BLOCKS = 3
"""Blocks that stay in floating point, as the stem before them does: the first stage and one more. The channels of the
first stage differ most in range, so one step for all rounds the quiet ones away: with it in int8 logits strayed by
0.20, without it by 0.06. The next block makes up for bfloat16 (docs/performance.md).
"""


def floating(folded: Folded, batch: int) -> ov.Model:
    """int8 (batch, 2, 224, 224) -> float32 map (batch, 1, 7, 7) and pooled features (batch, 768)."""
    return _Builder(folded, None, lambda name, value: value).model(batch)


def quantised(folded: Folded, quantization: Quantization, batch: int) -> ov.Model:
    """The same with activations and weights of 8 bits after FLOATING_BLOCKS; activations reach up to their ranges."""

    def tap(name: str, value: ov.Node) -> ov.Node:
        low, high = np.float32(0), np.float32(quantization.ranges[name])
        return ops.fake_quantize(value, low, high, low, high, LEVELS)

    head = replace(folded.head, bias=folded.head.bias - quantization.shift)
    return _Builder(replace(folded, head=head), WEIGHT_MAX, tap).model(batch)


def observing(folded: Folded) -> tuple[ov.Model, list[str]]:
    """A graph for one image whose outputs, float32 scalars, are the largest magnitudes of the activations named."""
    names: list[str] = []
    outputs: list[ov.Node] = []

    def tap(name: str, value: ov.Node) -> ov.Node:
        names.append(name)
        outputs.append(ops.reduce_max(ops.abs(value), np.arange(4), keep_dims=False))
        return value

    builder = _Builder(folded, None, tap)
    builder.model(1)
    return ov.Model(outputs, [builder.planes], "activations"), names


class _Builder:
    def __init__(self, folded: Folded, weight_max: int | None, tap: Tap) -> None:
        self._folded = folded
        self._weight_max = weight_max
        self._tap = tap
        self.planes: ov.Node

    def model(self, batch: int) -> ov.Model:
        folded = self._folded
        self.planes = ops.parameter([batch, 2, SIZE, SIZE], np.int8, "planes")
        value = self._pooled(ops.relu(self._convolved(folded.stem, ops.convert(self.planes, "f32"), None)))
        third = value
        for number, block in enumerate(folded.blocks):
            value = self._block(number, block, value)
            if number == THIRD_STAGE:
                third = value
        cam = self._convolved(folded.head, value, None)
        pooled = ops.concat([ops.reduce_mean(its, np.array([2, 3])) for its in (third, value)], 1)
        return ov.Model([cam, pooled], [self.planes], "resnet18")

    def _block(self, number: int, block: Block, value: ov.Node) -> ov.Node:
        """Activations are tapped where a quantised convolution takes them; sums are made in floating point."""
        integer = number >= FLOATING_BLOCKS
        weight_max = self._weight_max if integer else None
        first = ops.relu(self._convolved(block.first, value, weight_max))
        if integer:
            first = self._tap(f"{number}.first", first)
        if block.shortcut is not None:
            value = self._convolved(block.shortcut, value, weight_max)
        value = ops.relu(ops.add(self._convolved(block.second, first, weight_max), value))
        feeds_integers = FLOATING_BLOCKS <= number + 1 < len(self._folded.blocks)
        return self._tap(f"{number}.out", value) if feeds_integers else value

    def _convolved(self, conv: Conv, value: ov.Node, weight_max: int | None) -> ov.Node:
        weight = ops.constant(conv.weight.numpy())
        if weight_max is not None:
            weight = _rounded(conv.weight, weight_max)
        strides, padding = [conv.stride] * 2, [conv.padding] * 2
        product = ops.convolution(value, weight, strides, padding, padding, [1, 1])
        return ops.add(product, ops.constant(conv.bias.numpy()[None, :, None, None]))

    @staticmethod
    def _pooled(value: ov.Node) -> ov.Node:
        node: ov.Node = ops.max_pool(value, [2, 2], [1, 1], [1, 1], [1, 1], [3, 3], "floor")
        return node.output(0)


def _rounded(weight: Tensor, largest: int) -> ov.Node:
    """Quantised per output channel, symmetrically, to integers from -`largest` to `largest`."""
    step = (weight.abs().amax((1, 2, 3), keepdim=True) / largest).clamp_min(1e-12).numpy()
    low, high = step * np.float32(-LEVELS // 2), step * np.float32(LEVELS // 2 - 1)
    return ops.fake_quantize(ops.constant(weight.numpy()), low, high, low, high, LEVELS)
