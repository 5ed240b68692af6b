"""Going through many images in batches."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from training.progress import Progress, silent

BATCH_SIZE = 32


def in_batches(
    pixels: NDArray[np.uint8], progress: Progress = silent, size: int = BATCH_SIZE
) -> Iterator[NDArray[np.uint8]]:
    """Yield images (N, H, W) in batches of `size`; `progress` is called when the caller asks for the next one."""
    for start in range(0, len(pixels), size):
        yield pixels[start : start + size]
        progress(min(start + size, len(pixels)), len(pixels))
