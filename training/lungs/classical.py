"""Lung fields by gray values and shape alone: two dark regions inside the body. Finds them where the case is clear.

Each gray value is tried as the border between dark and bright (as maximally stable regions are found, Matas et al.
2002); of all regions that come up the two that look most like lungs are taken. An image on which no two look enough
like lungs has none: it is left to the network that learns from the others.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from training.lungs import shape
from training.lungs.shape import Mask, Place

SIDE_PX = 112
MIN_AREA, MAX_AREA = 0.04, 0.24
"""Of one lung, in shares of the image."""
_CUTS = np.arange(0.08, 0.66, 0.02)
"""Shares of the image that count as dark."""
_SMOOTHING_PX, _BACKGROUND_PX = 2.0, 22.0
_STEEP = 0.025
"""Change of the equalised image from a pixel to the next that counts as an edge."""
_DISK = np.hypot(*np.mgrid[-3:4, -3:4]) <= 3.2
_SMALL_DISK = np.hypot(*np.mgrid[-2:3, -2:3]) <= 2.3


@dataclass(frozen=True, slots=True)
class Lungs:
    """`mask` is bool (SIDE_PX, SIDE_PX); likeness and edge are those of the lung that has less of it."""

    mask: Mask
    likeness: float
    edge: float


@dataclass(frozen=True, slots=True)
class _Region:
    """`edge` is the share of its outline at which the image really turns brighter."""

    mask: Mask
    box: Place
    likeness: float
    edge: float

    @property
    def score(self) -> float:
        """Of two regions alike in shape the larger is the lung, the smaller a part of it."""
        return self.likeness + 0.5 * self.edge + 2 * float(self.mask.mean())


def find(pixels: NDArray[np.uint8]) -> Lungs | None:
    """Both lung fields of an image uint8 (H, W), or None where no two regions may be lungs."""
    best: dict[bool, _Region] = {}
    for region, on_right in _regions(pixels):
        if on_right not in best or region.score > best[on_right].score:
            best[on_right] = region
    if len(best) < 2 or not shape.are_pair(best[False].box, best[True].box):
        return None
    left, right = best[False], best[True]
    return Lungs(left.mask | right.mask, min(left.likeness, right.likeness), min(left.edge, right.edge))


def equalised(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """uint8 (H, W) -> float32 (SIDE_PX, SIDE_PX): the share of the image that is darker."""
    small = np.asarray(Image.fromarray(pixels).resize((SIDE_PX, SIDE_PX), Image.Resampling.BOX))
    counts = np.bincount(small.ravel(), minlength=256)
    darker = np.cumsum(counts) - counts / 2
    return np.asarray(darker[small] / small.size, dtype=np.float32)


def _regions(pixels: NDArray[np.uint8]) -> Iterator[tuple[_Region, bool]]:
    gray = equalised(pixels)
    smooth = ndimage.gaussian_filter(gray, _SMOOTHING_PX)
    steep = ndimage.gaussian_gradient_magnitude(gray, _SMOOTHING_PX) > _STEEP
    for picture in (smooth, smooth - ndimage.gaussian_filter(gray, _BACKGROUND_PX)):
        for limit in np.quantile(picture, _CUTS):
            yield from _dark(picture < limit, steep)


def _dark(dark: Mask, steep: Mask) -> Iterator[tuple[_Region, bool]]:
    """The regions of a picture's dark part that may be a lung, and whether they lie in its right half."""
    opened = ndimage.binary_opening(dark, _SMALL_DISK)
    numbered, _ = ndimage.label(opened)
    for number, where in enumerate(ndimage.find_objects(numbered), 1):
        if _touches_edge(where):
            continue
        mask = numbered == number
        if not MIN_AREA < mask.mean() < MAX_AREA:
            continue
        mask = ndimage.binary_fill_holes(ndimage.binary_closing(mask, _DISK))
        box = shape.place(mask)
        on_right = bool(box.left + box.right > 1)
        if box.is_plausible:
            outline = mask & ~ndimage.binary_erosion(mask)
            likeness = shape.likeness(mask, box, on_right=on_right)
            yield _Region(mask, box, likeness, float(steep[outline].mean())), on_right


def _touches_edge(where: tuple[slice, slice]) -> bool:
    return any(part.start <= 1 or part.stop >= SIDE_PX - 1 for part in where)
