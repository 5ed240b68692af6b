"""Products of matrices beside a running engine."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


def product(rows: Floats, columns: Floats) -> Floats:
    """(N, D) and (k, D) -> (N, k).

    Not by `@`, whose threads (OpenBLAS) go on spinning for a while after each batch and take a quarter of its speed
    from the engine; einsum needs a tenth of a millisecond and one thread.
    """
    result: Floats = np.einsum("nd,kd->nk", rows, columns)
    return result
