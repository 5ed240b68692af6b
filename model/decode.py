"""From the bytes of a file to one gray image, whatever its format."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray

from core.media import MAX_PIXELS, sniff
from model import raster


def decode(data: bytes, *, max_pixels: int = MAX_PIXELS, at_least_px: int | None = None) -> NDArray[np.uint8]:
    """Decode an X-ray image to gray.

    Args:
        at_least_px: a JPEG may come back scaled down by 2, 4 or 8, which is faster, as long as both sides keep so
            many pixels. Default: full size.

    Returns:
        uint8 array (H, W), 0 black to 255 white, upright as its EXIF orientation says.

    Raises:
        EmptyFile: there are no bytes.
        UnsupportedType: not a JPEG or PNG image.
        TooManyPixels: the header claims more than `max_pixels`; nothing was decoded then.
        CorruptImage: damaged, cut short, or made to take long.
    """
    info = sniff(io.BytesIO(data), max_pixels=max_pixels)
    return raster.decode(data, (info.width_px, info.height_px), at_least_px)
