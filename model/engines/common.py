"""What the engines of a CPU share."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.errors import OutOfMemory

CPU_BATCH = 16
"""`Engine.batch_size` on a CPU, for each thread that takes images of its own, where more is hardly faster."""


def out_of_memory(pixels: NDArray[np.uint8]) -> OutOfMemory:
    return OutOfMemory(f"A batch of {len(pixels)} images does not fit into memory.")
