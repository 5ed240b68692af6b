"""From 16 bits a pixel to 8: the window of values that the radiograph really uses becomes black to white.

Detectors write 10 to 16 bits, with an offset or without, and other programs add markers and padding. So the window is
read from the histogram: neither a stray pixel nor a marker nor an offset moves it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_ROWS = 256
_STRAY_SHARE = 0.0002
"""Of the pixels at each end that are left out of the window: 80 of 400,000."""
_REACH = 0.5
"""How far the window may reach beyond the 1st and 99th percentile, as a part of the distance between these."""
_MARKER_GAP = 0.2
"""Distance of a marker or of padding from all other values, as a part of the range of these."""
_MIN_LEVELS = 16
"""Distinct values that a radiograph has at least; in a drawing of fewer no value is a marker."""
_BLACK_SHARE = 0.1
"""Of the depth's range. Where the window begins below it there is no offset, and 0 is black."""
_FILLED_SHARE = 0.85
"""Of the depth's range. Where the window ends above it the radiograph was made for this depth and is scaled by it, as
its 8-bit file was."""
_WHITEST_SHARE = 0.94
"""Of white, where the window ends elsewhere. In 8-bit radiographs it ends at 0.87 to 1: bones are seldom quite white.
With it 24 adults change by up to 0.13 against their 8-bit files with the same marks, and one decision does, of a file
with an offset and an edge of 0; 30 originals by up to 0.02 and no decision (`benchmarks/bit_depths.py`)."""
_NARROWEST = 64
"""Levels of 65,536. Detectors of 10 bits use hundreds."""
_MIN_WIDTH = 255
"""Values of an 8-bit picture that was stored in 16 bits as they are; a narrower window would only show noise."""


def to_8_bit(pixels: NDArray[np.uint16], exponent: float = 1.0) -> tuple[NDArray[np.uint8], bool]:
    """Scale uint16 (H, W), then raise it (0 to 1) to `exponent`; also says whether its range is very narrow.

    8-bit data that was stretched to 16 bits (each value times 257) comes back exactly, however dark it is.
    """
    counts = np.zeros(65536, np.int64)
    for first in range(0, len(pixels), _ROWS):  # some rows at a time: counting takes eight bytes a pixel
        counts += np.bincount(pixels[first : first + _ROWS].ravel(), minlength=65536)
    present = np.flatnonzero(counts)
    if not np.any(present % 257):
        low, high, narrow = 0, 65535, False
    else:
        low, high = _window(counts, present)
        narrow = high - low < _NARROWEST
        high = max(high, low + _MIN_WIDTH)
    levels = ((np.arange(65536) - low) / (high - low)).clip(0, 1) ** exponent
    return np.floor(levels * 255 + 0.5).astype(np.uint8)[pixels], narrow


def _window(counts: NDArray[np.int64], present: NDArray[np.int64]) -> tuple[int, int]:
    """The values that become black and white."""
    ordinary = counts.copy()
    ordinary[_markers(present)] = 0
    low, high = _quantile(ordinary, 0.01), _quantile(ordinary, 0.99)
    reach = round((high - low) * _REACH)
    ordinary[: max(0, low - reach)] = 0
    ordinary[high + reach + 1 :] = 0
    low, high = _quantile(ordinary, _STRAY_SHARE), _quantile(ordinary, 1 - _STRAY_SHARE)
    top = (1 << high.bit_length()) - 1
    if low > _BLACK_SHARE * high:
        return low, low + round((high - low) / _WHITEST_SHARE)
    return 0, top if high >= _FILLED_SHARE * top else round(high / _WHITEST_SHARE)


def _markers(present: NDArray[np.int64]) -> list[int]:
    """The largest and the smallest value, each if it lies far from all others."""
    markers = []
    for end, following in ((-1, -2), (0, 1)):
        if len(present) < _MIN_LEVELS:
            break
        others = np.delete(present, end)
        if abs(present[end] - present[following]) > np.ptp(others) * _MARKER_GAP:
            markers.append(int(present[end]))
            present = others
    return markers


def _quantile(counts: NDArray[np.int64], share: float) -> int:
    """The smallest value that at least `share` of the pixels do not exceed."""
    upto = counts.cumsum()
    return int(np.searchsorted(upto, max(1, share * upto[-1])))
