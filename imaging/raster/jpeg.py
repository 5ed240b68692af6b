"""JPEG to gray, through libjpeg-turbo in its strict mode: what it would only warn of fails the image.

Pillow uses the same library and gives the same pixels, but swallows its warnings, so that a file cut in half and ended
properly looks sound. `simplejpeg` (MIT) raises them. The processes it reads are baseline, extended, progressive, with
arithmetic coding too, and lossless.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image

from imaging import orientation, segments
from imaging.raster.picture import Picture

_EXIF = b"Exif\0\0"
_LOSSLESS = 0xC3
_SHOWN_BY_BROWSERS = frozenset({0xC0, 0xC1, 0xC2})
_ADOBE = 0xEE
_SCALES = (8, 4, 2)
_FILL = 128
"""What libjpeg-turbo makes of blocks for which there is no data."""
_END = b"\xff\xd9"
_INKS = ("CMYK", "YCCK")
_ZERO_TAIL = re.compile(rb"\0{16,}(?:\xff\xd9)?\Z")


@dataclass(frozen=True, slots=True)
class _Stripped:
    """The file with nothing but its pixels, and what its segments say."""

    data: bytes
    turn: int
    frame: int
    adobe: bool


def decode(data: bytes, size: tuple[int, int], at_least_px: int | None) -> Picture:
    """A JPEG for which `imaging.media.sniff` found `size`, (width, height).

    Raises:
        CorruptImage: damaged, cut short, or made to take long.
    """
    stripped = _strip(data)
    try:
        height_px, width_px, colours, _ = simplejpeg.decode_jpeg_header(stripped.data)
        if (width_px, height_px) != size:  # a second header behind the one whose size was checked
            raise segments.damaged()
        inks = colours in _INKS
        # A lossless JPEG has no frequencies to leave out: libjpeg-turbo must not be asked to scale one.
        scale = 1 if at_least_px is None or stripped.frame == _LOSSLESS else _scale(size, at_least_px)
        pixels = simplejpeg.decode_jpeg(
            stripped.data,
            "CMYK" if inks else "GRAY",
            min_width=-(-width_px // scale) if scale > 1 else 0,
            min_height=-(-height_px // scale) if scale > 1 else 0,
        )
    except ValueError as error:
        raise segments.damaged(_share(stripped)) from error
    gray = _gray_of_inks(pixels, inverted=stripped.adobe) if inks else pixels[..., 0]
    shown = stripped.frame in _SHOWN_BY_BROWSERS and not inks
    return Picture(gray, stripped.turn, as_browsers_show=shown, scale=scale)


def _scale(size: tuple[int, int], at_least_px: int) -> int:
    return next((scale for scale in _SCALES if min(size) // at_least_px >= scale), 1)


def _strip(data: bytes) -> _Stripped:
    kept, turn, frame, adobe, last = [b"\xff\xd8"], orientation.UPRIGHT, 0, False, 0
    for part in segments.jpeg_head(io.BytesIO(data)):
        last = part.start
        body = data[part.body : part.end]
        if part.kind == segments.EXIF_SEGMENT and body.startswith(_EXIF):
            turn = orientation.read(body.removeprefix(_EXIF))
        elif part.for_pixels and part.kind != segments.START_OF_SCAN:
            kept.append(data[part.start : part.end])
        if part.kind in segments.FRAMES and isinstance(part.kind, int):
            frame = part.kind
        adobe = adobe or (part.kind == _ADOBE and body.startswith(b"Adobe"))
    scans = data[last : segments.end_of_jpeg(data, last)]
    # A file that lacks nothing but its end is whole: the decoder warns if pixels are missing too.
    kept.append(scans if scans.endswith(_END) else scans + _END)
    return _Stripped(b"".join(kept), turn, frame, adobe)


def _gray_of_inks(pixels: NDArray[np.uint8], *, inverted: bool) -> NDArray[np.uint8]:
    """Adobe's programs store how little ink there is (Adobe technical note 5116)."""
    inks = Image.fromarray(255 - pixels if inverted else pixels, "CMYK")
    return np.asarray(inks.convert("RGB").convert("L"), dtype=np.uint8)


def _share(stripped: _Stripped) -> float | None:
    """How much of a damaged picture is there: all but the rows at its end that the decoder had no data for."""
    data = _ZERO_TAIL.sub(_END, stripped.data)
    try:
        pixels = simplejpeg.decode_jpeg(data, "GRAY", strict=False)[..., 0]
    except ValueError:
        return None
    filled = (pixels == _FILL).all(axis=1)
    return float(filled.size - np.argmin(filled[::-1])) / filled.size if not filled.all() else 0.0
