"""From the bytes of a file to one gray image, whatever its format."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imaging import orientation, segments
from imaging.media import MAX_PIXELS, sniff
from imaging.raster import jpeg, png
from imaging.raster.picture import Picture


def decode(data: bytes, *, max_pixels: int = MAX_PIXELS, at_least_px: int | None = None) -> NDArray[np.uint8]:
    """Decode an X-ray image to gray.

    Args:
        at_least_px: a JPEG may come back scaled down by 2, 4 or 8, which is faster, as long as both sides keep so
            many pixels: its decoder then leaves out the frequencies that a resize would take away (ITU-T T.81,
            A.3.3: an inverse DCT of 4, 2 or 1 instead of 8). Default: full size.

    Returns:
        uint8 array (H, W), 0 black to 255 white, upright as its EXIF orientation says.

    Raises:
        EmptyFile: there are no bytes.
        UnsupportedType: not a JPEG or PNG image, or of a kind that is not read.
        TooManyPixels: the header claims more than `max_pixels`; nothing was decoded then.
        CorruptImage: damaged, cut short, or made to take long.
    """
    return upright(picture(data, max_pixels=max_pixels, at_least_px=at_least_px))


def picture(data: bytes, *, max_pixels: int = MAX_PIXELS, at_least_px: int | None = None) -> Picture:
    """As `decode`, with what else there is to know of the image, and not yet turned.

    The time it takes grows with the bytes and with the pixels, at most `segments.MAX_SCANS` times these.
    """
    info = sniff(io.BytesIO(data), max_pixels=max_pixels)
    size = (info.width_px, info.height_px)
    lead = segments.leading_bytes(data[:132])
    data = data[lead:]
    decoded = png.decode(data, size) if data.startswith(png.SIGNATURE) else jpeg.decode(data, size, at_least_px)
    # Browsers refuse a file that does not begin with its signature.
    return replace(decoded, as_browsers_show=decoded.as_browsers_show and not lead)


def upright(stored: Picture) -> NDArray[np.uint8]:
    if stored.turn == orientation.UPRIGHT:
        return stored.gray
    return np.asarray(Image.fromarray(stored.gray).transpose(orientation.TURNS[stored.turn]), dtype=np.uint8).copy()
