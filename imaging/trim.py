"""A border that somebody put around the radiograph, and where the radiograph lies inside it.

A border is one gray value throughout. What lies inside the detector, be it as black as a collimated edge, has noise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_SAME = 6
"""Gray levels within which the pixels of a border's row lie; JPEG compression moves some of them."""
_WHITE = 240
_DARKER_SHARE = 0.1
"""Of a side. The images that the model was made from have dark edges up to 9 % wide, which are left as they are."""
_LEAST_SHARE = 0.4
"""Of each side that must be left; what lies inside a wider border would be no radiograph any more."""


@dataclass(frozen=True, slots=True)
class Box:
    """The part of a picture of `width_px` x `height_px` that was judged, in its pixels."""

    width_px: int
    height_px: int
    left: int
    top: int
    right: int
    bottom: int

    @property
    def is_whole(self) -> bool:
        return (self.left, self.top, self.right, self.bottom) == (0, 0, self.width_px, self.height_px)

    @property
    def shortest_px(self) -> int:
        """The shorter side of the part."""
        return min(self.right - self.left, self.bottom - self.top)


def find(gray: NDArray[np.uint8]) -> Box:
    """The box without the uniform border of uint8 (H, W); all of it if there is none."""
    height_px, width_px = gray.shape
    top, bottom = _border_px(gray), _border_px(gray[::-1])
    left, right = _border_px(gray.T), _border_px(gray.T[::-1])
    box = Box(width_px, height_px, left, top, width_px - right, height_px - bottom)
    enough = box.right - left >= width_px * _LEAST_SHARE and box.bottom - top >= height_px * _LEAST_SHARE
    return box if enough else Box(width_px, height_px, 0, 0, width_px, height_px)


def _border_px(gray: NDArray[np.uint8]) -> int:
    """How many rows at the upper edge are border."""
    level, rows = int(gray[0, 0]), 0
    while rows < len(gray) and _is_uniform(gray[rows], level):
        rows += 1
    if rows == len(gray):
        return 0
    return rows if level >= _WHITE or rows > _DARKER_SHARE * len(gray) else 0


def _is_uniform(row: NDArray[np.uint8], level: int) -> bool:
    return abs(int(row[0]) - level) <= _SAME and int(row.max()) - level <= _SAME and level - int(row.min()) <= _SAME
