"""The class activation map as it is stored, 7 x 7 half-precision numbers, and as it tints the X-ray."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imaging.transform import INPUT_PX

SIDE = 7
"""Cells in a row and in a column: the last feature map of a ResNet at 224 px."""

STRONG = 4.0
"""Logits above the operating point that are tinted in full. Weaker maps stay pale: they are not stretched."""

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


def tint(cells: Map, threshold: float) -> NDArray[np.float32]:
    """How strongly each pixel of the network's input is tinted: float32 (224, 224) in 0..1.

    Args:
        cells: the map (7, 7).
        threshold: the operating point, at which a place is neutral; below it it is not tinted.
    """
    smooth = Image.fromarray(strengths(cells, threshold)).resize((INPUT_PX, INPUT_PX), Image.Resampling.BICUBIC)
    return np.asarray(smooth, dtype=np.float32).clip(0, 1)


def strengths(cells: Map, threshold: float) -> NDArray[np.float32]:
    """float32 (7, 7) in 0..1. Cells count by their distance above the operating point's logit."""
    above = cells.astype(np.float32) - _logit(threshold)
    return np.asarray(above.clip(0, None) / max(STRONG, float(above.max())), dtype=np.float32)


def _logit(probability: float) -> float:
    inside = min(max(probability, 1e-6), 1 - 1e-6)
    return math.log(inside / (1 - inside))
