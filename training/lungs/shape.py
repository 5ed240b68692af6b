"""How much a region looks like a lung: its outline against an average one, and its place on the image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

Mask = NDArray[np.bool_]

FRAME_PX = 32
"""Outlines are compared inside their bounding boxes, stretched to this side."""

# Lungs in their bounding boxes, drawn by hand: an adult's and a child's. First those on the image's left, which are the
# patient's right ones; then those that give way to the heart.
_OUTLINES = (
    (
        (0.62, 0.0), (0.85, 0.06), (0.95, 0.3), (0.92, 0.5), (1.0, 0.75), (0.97, 0.88), (0.75, 0.83), (0.45, 0.85),
        (0.2, 0.92), (0.03, 1.0), (0.0, 0.7), (0.08, 0.38), (0.2, 0.18), (0.4, 0.04),
    ),
    (
        (0.8, 0.0), (0.97, 0.08), (0.98, 0.3), (0.9, 0.5), (0.92, 0.75), (1.0, 0.92), (0.6, 0.9), (0.3, 0.94),
        (0.0, 1.0), (0.02, 0.8), (0.17, 0.5), (0.4, 0.2), (0.6, 0.05),
    ),
)  # fmt: skip
_OUTLINES_BESIDE_HEART = (
    (
        (0.4, 0.0), (0.17, 0.06), (0.06, 0.25), (0.1, 0.42), (0.3, 0.58), (0.45, 0.72), (0.47, 0.85), (0.7, 0.86),
        (0.97, 1.0), (1.0, 0.7), (0.92, 0.38), (0.8, 0.18), (0.6, 0.04),
    ),
    (
        (0.18, 0.0), (0.03, 0.08), (0.04, 0.3), (0.2, 0.5), (0.36, 0.7), (0.4, 0.92), (0.7, 0.92),
        (1.0, 1.0), (0.98, 0.8), (0.85, 0.5), (0.62, 0.2), (0.4, 0.05),
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Place:
    """A bounding box in shares of the image's side."""

    top: float
    left: float
    bottom: float
    right: float

    @property
    def height(self) -> float:
        return self.bottom - self.top

    @property
    def width(self) -> float:
        return self.right - self.left

    @property
    def is_plausible(self) -> bool:
        """Whether a lung may have this size."""
        return 0.35 < self.height < 0.85 and 0.13 < self.width < 0.42 and 1.2 < self.height / self.width < 4.2


def place(mask: Mask) -> Place:
    """Where a mask that is not empty lies."""
    rows, columns = (np.flatnonzero(mask.any(axis)) / mask.shape[1 - axis] for axis in (1, 0))
    one_row, one_column = 1 / mask.shape[0], 1 / mask.shape[1]
    return Place(float(rows[0]), float(columns[0]), float(rows[-1] + one_row), float(columns[-1] + one_column))


def likeness(mask: Mask, box: Place, *, on_right: bool) -> float:
    """The overlap (Dice) of a mask inside of its box with the lung that it is most like; 1 is the same."""
    framed = frame(mask, box)
    overlaps = [2 * np.minimum(framed, drawn).sum() / (framed.sum() + drawn.sum()) for drawn in TEMPLATES[on_right]]
    return float(max(overlaps))


def frame(mask: Mask, box: Place) -> NDArray[np.float32]:
    """The part of the mask inside of the box, as float32 (FRAME_PX, FRAME_PX)."""
    height, width = mask.shape
    top, bottom = round(box.top * height), round(box.bottom * height)
    left, right = round(box.left * width), round(box.right * width)
    inside = Image.fromarray(mask[top:bottom, left:right].astype(np.float32))
    return np.asarray(inside.resize((FRAME_PX, FRAME_PX), Image.Resampling.BOX), dtype=np.float32)


def are_pair(left: Place, right: Place) -> bool:
    """Whether two boxes may be the lungs of one chest: side by side, alike in height, neither far above the other."""
    gap = right.left - left.right
    overlap = min(left.bottom, right.bottom) - max(left.top, right.top)
    middle = (left.right + right.left) / 2
    return (
        -0.03 < gap < 0.3
        and overlap > 0.7 * max(left.height, right.height)
        and 0.6 < left.width / right.width < 1.9
        and abs(left.top - right.top) < 0.1
        and 0.33 < middle < 0.67
    )


def _drawn(outline: tuple[tuple[float, float], ...]) -> NDArray[np.float32]:
    scale = 8 * FRAME_PX
    picture = Image.new("F", (scale, scale))
    ImageDraw.Draw(picture).polygon([(x * scale, y * scale) for x, y in outline], fill=1)
    return np.asarray(picture.resize((FRAME_PX, FRAME_PX), Image.Resampling.BOX), dtype=np.float32)


TEMPLATES = tuple(tuple(map(_drawn, outlines)) for outlines in (_OUTLINES, _OUTLINES_BESIDE_HEART))
"""Lungs float32 (FRAME_PX, FRAME_PX) of an adult and a child: those on the image's left, then those on its right."""
