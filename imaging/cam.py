"""The class activation map as it is stored: 7 x 7 half-precision numbers. Written by workers, read by pages."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SIDE = 7
"""Cells in a row and in a column: the last feature map of a ResNet at 224 px."""

_STORED = np.dtype("<f2")
SIZE_BYTES = SIDE * SIDE * _STORED.itemsize

Map = NDArray[np.float16]


def pack(cells: Map) -> bytes:
    """float16 (7, 7) -> 98 bytes, row by row from the upper left, little-endian."""
    if cells.shape != (SIDE, SIDE):
        raise ValueError(f"expected ({SIDE}, {SIDE}), got {cells.shape}")
    return cells.astype(_STORED).tobytes()


def unpack(stored: bytes) -> Map:
    """The inverse of `pack`.

    Raises:
        ValueError: not 98 bytes.
    """
    if len(stored) != SIZE_BYTES:
        raise ValueError(f"a stored map has {SIZE_BYTES} bytes, not {len(stored)}")
    return np.frombuffer(stored, _STORED).reshape(SIDE, SIDE).astype(np.float16)
