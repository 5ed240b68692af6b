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

POINTS_WITHIN = 0.25
"""A map points if half of what speaks for pneumonia lies within this share of the X-ray, about what both lungs take."""

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
    """How strongly each pixel of the network's input is tinted: float32 (224, 224) in 0..1; 0 unless the map points.

    Args:
        cells: the map (7, 7).
        threshold: the operating point, at which a place is neutral.
    """
    if not points(cells, threshold):
        return np.zeros((INPUT_PX, INPUT_PX), dtype=np.float32)
    smooth = Image.fromarray(strengths(cells, threshold)).resize((INPUT_PX, INPUT_PX), Image.Resampling.BICUBIC)
    return np.asarray(smooth, dtype=np.float32).clip(0, 1)


def strengths(cells: Map, threshold: float) -> NDArray[np.float32]:
    """float32 (7, 7) in 0..1: how far the cells of the strongest half lie above the operating point's logit."""
    above = _above(cells, threshold) * strongest_half(cells, threshold)
    return np.asarray(above / max(STRONG, float(above.max())), dtype=np.float32)


def strongest_half(cells: Map, threshold: float) -> NDArray[np.bool_]:
    """The fewest cells, bool (7, 7), that together hold half of what speaks for pneumonia; none where nothing does."""
    above = _above(cells, threshold)
    order = np.argsort(above, axis=None, kind="stable")[::-1]
    before = np.cumsum(above.ravel()[order]) - above.ravel()[order]
    chosen = np.zeros(above.size, dtype=np.bool_)
    chosen[order] = before < above.sum() / 2
    return chosen.reshape(above.shape)


def points(cells: Map, threshold: float) -> bool:
    """Whether something speaks for pneumonia, and half of it within `POINTS_WITHIN` of the X-ray."""
    return 0 < float(strongest_half(cells, threshold).mean()) <= POINTS_WITHIN


def _above(cells: Map, threshold: float) -> NDArray[np.float64]:
    """How far each cell lies above the operating point's logit; 0 for those below it."""
    return np.asarray((cells.astype(np.float64) - _logit(threshold)).clip(0, None))


def _logit(probability: float) -> float:
    inside = min(max(probability, 1e-6), 1 - 1e-6)
    return math.log(inside / (1 - inside))
