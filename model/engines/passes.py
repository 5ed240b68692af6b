"""A batch of any size through a network that takes batches of a few fixed sizes.

Lanes take turns: while one computes, the next is being filled and the one before read out.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from itertools import cycle
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from model.decision import Results, joined

NEAR = 0.95
"""Of the highest rate. Smaller batches let an urgent image in sooner."""


class Lane(Protocol):
    def start(self, part: NDArray[np.uint8], size: int) -> None:
        """Begin with `part`, uint8 (N, 224, 224), as a batch of `size` >= N."""
        ...

    def finish(self) -> Results:
        """Of the part that was started, once it is done."""
        ...


def run(batch: NDArray[np.uint8], lanes: Sequence[Lane], sizes: Sequence[int]) -> Results:
    """The results of a batch, uint8 (N, 224, 224), N >= 1, in its order. After an error no lane is busy."""
    found: list[Results] = []
    busy: deque[Lane] = deque()
    try:
        for (part, size), lane in zip(_parts(batch, sizes), cycle(lanes), strict=False):
            if len(busy) == len(lanes):
                found.append(busy.popleft().finish())
            lane.start(part, size)
            busy.append(lane)
        while busy:
            found.append(busy.popleft().finish())
    finally:
        for lane in busy:
            with contextlib.suppress(RuntimeError):
                lane.finish()
    return joined(found)


def fastest(images_per_s: Mapping[int, float]) -> int:
    """The smallest batch size whose rate is near the highest."""
    return min(size for size, rate in images_per_s.items() if rate >= NEAR * max(images_per_s.values()))


def _parts(batch: NDArray[np.uint8], sizes: Sequence[int]) -> Iterator[tuple[NDArray[np.uint8], int]]:
    """As many of the largest size as fit, then what is left in the smallest size that holds it."""
    largest = max(sizes)
    for start in range(0, len(batch), largest):
        part = batch[start : start + largest]
        yield part, min(size for size in sizes if size >= len(part))
