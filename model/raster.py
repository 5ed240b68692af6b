"""JPEG and PNG to gray, through Pillow."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from core.errors import CorruptImage
from core.media import PILLOW_FORMATS

# What Pillow raises on damaged bytes, depending on which chunk or marker is hit. A Warning is here for processes
# that turn warnings into errors.
_DAMAGE = (OSError, SyntaxError, ValueError, TypeError, LookupError, AttributeError, EOFError, OverflowError,
           struct.error, zlib.error, Warning)  # fmt: skip

_BIT_DEPTHS = (8, 10, 12, 14, 16)
"""Depths that X-ray detectors and their exports use."""


def decode(data: bytes) -> NDArray[np.uint8]:
    """Decode a JPEG or PNG that `core.media.sniff` let through; returns uint8 (H, W).

    Raises:
        CorruptImage: damaged or cut short.
    """
    try:
        with Image.open(io.BytesIO(data), formats=PILLOW_FORMATS) as image:
            image.load()
            return _gray(ImageOps.exif_transpose(image))
    except _DAMAGE as error:
        raise CorruptImage("The image is damaged or cut short, and cannot be decoded.") from error


def _gray(image: Image.Image) -> NDArray[np.uint8]:
    if image.mode.startswith("I"):
        return scale_to_8_bit(np.asarray(image).astype(np.uint16))
    if image.has_transparency_data:
        # Outside the collimated field an X-ray is black, so transparency shows black.
        opaque = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", opaque.size, "black"), opaque)
    if image.mode != "L":
        image = image.convert("RGB").convert("L")
    return np.asarray(image, dtype=np.uint8).copy()


def scale_to_8_bit(pixels: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """Scale uint16 (H, W) by its significant bits, so that 12-bit data in a 16-bit file isn't nearly black.

    The significant bits are the smallest detector depth that holds the largest value. 8-bit data that was
    stretched to 16 bits (each value times 257) comes back exactly, however dark it is.
    """
    if not np.any(pixels % 257):
        return (pixels // 257).astype(np.uint8)
    largest = int(pixels.max())
    bits = next(depth for depth in _BIT_DEPTHS if depth >= largest.bit_length())
    top = (1 << bits) - 1
    return ((pixels.astype(np.uint32) * 255 + top // 2) // top).astype(np.uint8)
