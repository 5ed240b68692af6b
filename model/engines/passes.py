"""A batch of any size through a network that takes batches of a few fixed sizes.

Streams take turns: while one computes, the next is being filled and the one before read out.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from itertools import cycle
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from model.output import NetworkOutput, joined

Floats = NDArray[np.float32]

NEAR = 0.95
"""Of the highest rate. Smaller batches let an interactive image in sooner."""


class Stream(Protocol):
    def start(self, part: NDArray[np.uint8], size: int) -> None:
        """Begin with `part`, uint8 (N, 224, 224), as a batch of `size` >= N."""
        ...

    def finish(self) -> NetworkOutput[Floats]:
        """Wait for the part that was started; return its output."""
        ...


def run(batch: NDArray[np.uint8], streams: Sequence[Stream], sizes: Sequence[int]) -> NetworkOutput[Floats]:
    """The output for a batch, uint8 (N, 224, 224), N >= 1, in its order. After an error no stream is busy."""
    outputs: list[NetworkOutput[Floats]] = []
    busy: deque[Stream] = deque()
    try:
        for (part, size), stream in zip(_parts(batch, sizes), cycle(streams), strict=False):
            if len(busy) == len(streams):
                outputs.append(busy.popleft().finish())
            stream.start(part, size)
            busy.append(stream)
        while busy:
            outputs.append(busy.popleft().finish())
    finally:
        for stream in busy:
            with contextlib.suppress(RuntimeError):
                stream.finish()
    return joined(outputs)


def fastest(images_per_s: Mapping[int, float]) -> int:
    """The smallest batch size whose rate is near the highest."""
    return min(size for size, rate in images_per_s.items() if rate >= NEAR * max(images_per_s.values()))


def _parts(batch: NDArray[np.uint8], sizes: Sequence[int]) -> Iterator[tuple[NDArray[np.uint8], int]]:
    """As many of the largest size as fit, then what is left in the smallest size that holds it."""
    largest = max(sizes)
    for start in range(0, len(batch), largest):
        part = batch[start : start + largest]
        yield part, min(size for size in sizes if size >= len(part))
