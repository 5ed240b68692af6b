"""JPEG and PNG to gray, through Pillow."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops

from core import parts
from core.media import PILLOW_FORMATS
from model import orientation

# What Pillow raises on damaged bytes, depending on which chunk or marker is hit. A Warning is here for processes
# that turn warnings into errors.
_DAMAGE = (OSError, SyntaxError, AssertionError, ValueError, TypeError, LookupError, AttributeError, EOFError,
           OverflowError, struct.error, zlib.error, Warning)  # fmt: skip

_BIT_DEPTHS = (8, 10, 12, 14, 16)
"""Depths that X-ray detectors and their exports use."""

_PNG = b"\x89PNG\r\n\x1a\n"
_EXIF = b"Exif\0\0"


def decode(data: bytes, size: tuple[int, int], at_least_px: int | None = None) -> NDArray[np.uint8]:
    """Decode a JPEG or PNG for which `core.media.sniff` found `size`, (width, height); returns uint8 (H, W).

    With `at_least_px` a JPEG is scaled down by 2, 4 or 8 while both sides keep so many pixels: its decoder then leaves
    out the frequencies that a resize would take away (ITU-T T.81, A.3.3: an inverse DCT of 4, 2 or 1 instead of 8).

    The time it takes grows with the bytes and with the pixels, at most `parts.MAX_SCANS` times these.

    Raises:
        CorruptImage: damaged, cut short, or made to take long.
    """
    pixels, turn = (_png if data.startswith(_PNG) else _jpeg)(data)
    try:
        with Image.open(io.BytesIO(pixels), formats=PILLOW_FORMATS) as image:
            if image.size != size:  # a second header behind the one whose size was checked
                raise parts.damaged()
            if at_least_px is not None:
                image.draft("L", (at_least_px, at_least_px))
            image.load()
            return _gray(image if turn == orientation.UPRIGHT else image.transpose(orientation.TURNS[turn]))
    except _DAMAGE as error:
        raise parts.damaged() from error


def _png(data: bytes) -> tuple[bytes, int]:
    """The file with nothing but its pixels, and its orientation."""
    kept, turn = [_PNG], orientation.UPRIGHT
    for part in parts.png_chunks(data):
        if part.for_pixels:
            kept.append(data[part.start : part.end])
        elif part.kind == b"eXIf":
            turn = orientation.read(data[part.body : part.end - 4])
    return b"".join(kept), turn


def _jpeg(data: bytes) -> tuple[bytes, int]:
    """The file with nothing but its pixels, and its orientation."""
    kept, turn, last = [b"\xff\xd8"], orientation.UPRIGHT, 0
    for part in parts.jpeg_head(io.BytesIO(data)):
        last = part.start
        body = data[part.body : part.end]
        if part.kind == parts.EXIF_SEGMENT and body.startswith(_EXIF):
            turn = orientation.read(body.removeprefix(_EXIF))
        elif part.for_pixels and part.kind != parts.START_OF_SCAN:
            kept.append(data[part.start : part.end])
    kept.append(data[last : parts.end_of_jpeg(data, last)])
    return b"".join(kept), turn


def _gray(image: Image.Image) -> NDArray[np.uint8]:
    if image.mode.startswith("I"):
        return scale_to_8_bit(np.asarray(image).astype(np.uint16, copy=False))
    if image.has_transparency_data:
        # Outside the collimated field an X-ray is black, so transparency shows black. Channel by channel, as four at
        # a time would take four times the memory.
        opaque = image if image.mode in ("RGBA", "LA") else image.convert("RGBA")
        image = ImageChops.multiply(opaque.convert("L"), opaque.getchannel("A"))
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
    every = np.arange(top + 1, dtype=np.uint32)
    table: NDArray[np.uint8] = ((every * 255 + top // 2) // top).astype(np.uint8)
    return table[pixels]
