"""Clues to how a radiograph was recorded and stored: numbers that say nothing of the lungs.

`of_file` reads them from a file, NaN where it does not tell. What a network can see is taken from the 224 px that it is
given; what was lost on the way there, from the file.
"""

from __future__ import annotations

import io
import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from benchmarks.clues import FINE
from imaging.decode import decode
from imaging.preprocess import read
from training.augment import restyle
from training.data.sources import Item

Gray = NDArray[np.uint8]
"""(224, 224)."""

EDGE_PX = 9
"""Width of the strips in which margins are looked for: 4 % of the side."""
BLACK = 12
OUTER_PX = 40
"""Print is looked for nearer to an edge than this, where lungs seldom reach: 18 % of the side."""
LETTER_PX = 13
"""Print is made of strokes narrower than this."""
BRIGHTER = 60
"""Gray levels by which print stands out."""
LEAST_PX = 6
"""Area of a letter; smaller is noise."""
LONGEST_PX = 28
"""Longer side of a letter, or of letters that touch; longer are the chest wall and the edges of the field."""


def of_file(item: Item) -> dict[str, float]:
    """Every clue of a labelled image, by name.

    Raises:
        PneumoscreenError: it cannot be decoded.
    """
    data = item.load()
    pixels, image = read(data), Image.open(io.BytesIO(data))
    levels = np.bincount(decode(data).ravel(), minlength=256)
    return {
        "width over height of the file": image.width / image.height,
        "view is AP": {"AP": 1.0, "PA": 0.0}.get(item.view, math.nan),
        "black side margins": margins(pixels),
        "black above and below": margins(pixels.T),
        "print near the edges": print_share(pixels),
        "mean tone": float(pixels.mean()),
        "tone spread": float(pixels.std()),
        "sharpness": sharpness(pixels),
        "JPEG quantisation": quantisation(image),
        "stored in colour": float(image.mode not in ("L", "I", "I;16", "1")),
        "gray levels used": float((levels > 0).sum()),
        "unevenness of gray levels": unevenness(levels),
    }


def margins(pixels: Gray) -> float:
    """Share of black in the strips at the left and right edge."""
    strips = np.concatenate([pixels[:, :EDGE_PX], pixels[:, -EDGE_PX:]], axis=1)
    return float((strips <= BLACK).mean())


def print_share(pixels: Gray) -> float:
    """Share of the image that is bright, compact, and near an edge: side markers, letters, numbers.

    A white top-hat (Gonzalez and Woods, Digital Image Processing, 9.6) keeps what is brighter than its surroundings
    and narrower than `LETTER_PX`.
    """
    stands_out = ndimage.white_tophat(pixels, size=(LETTER_PX, LETTER_PX)) > BRIGHTER
    regions, count = ndimage.label(stands_out)
    sizes = np.bincount(regions.ravel(), minlength=count + 1)
    sides = [max(side.stop - side.start for side in box) for box in ndimage.find_objects(regions)]
    letters = np.append(False, (sizes[1:] >= LEAST_PX) & (np.array(sides) <= LONGEST_PX))  # region 0 is the rest
    inside = np.zeros(pixels.shape, np.bool_)
    inside[OUTER_PX:-OUTER_PX, OUTER_PX:-OUTER_PX] = True
    return float((letters[regions] & ~inside).mean())


def sharpness(pixels: Gray) -> float:
    """Mean logarithm of the power of fine details."""
    spectra = restyle.styles(np.array(pixels[None]), np.zeros(1, np.int64)).spectra  # torch warns of read-only memory
    return float(spectra[0, FINE:].mean())


def quantisation(image: Image.Image) -> float:
    """Mean of a JPEG's first quantisation table: the larger, the coarser; NaN for other files."""
    tables: dict[int, list[int]] = getattr(image, "quantization", {})
    return float(np.mean(tables[min(tables)])) if tables else math.nan


def unevenness(levels: NDArray[np.integer]) -> float:
    """How far the counts (256,) of gray levels are from the mean of their neighbours, against their own mean.

    Colour maps, windows and stretched contrast leave gaps and heaps in it. The ends, where much is clipped, are left
    out.
    """
    inner = levels[1:-1].astype(np.float64)
    rough = np.abs(inner[1:-1] - (inner[:-2] + inner[2:]) / 2)
    return float(rough.sum() / max(inner.sum(), 1))
