"""Which way up an image is: the one entry of its EXIF directory that matters here, and no other is read."""

from __future__ import annotations

import struct

from PIL import Image

UPRIGHT = 1
TAG = 0x0112
_SHORT = 3

TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What puts an image of this orientation upright."""


def read(exif: bytes) -> int:
    """The orientation, 1 to 8, in a TIFF structure as EXIF has it; 1 where there is none, as browsers show it.

    TIFF 6.0, section 2: byte order, 42, where the directory is; there a count and entries of 12 bytes each.
    """
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(exif[:4])
    if order is None or len(exif) < 10:
        return UPRIGHT
    (directory,) = struct.unpack_from(f"{order}I", exif, 4)
    if directory + 2 > len(exif):
        return UPRIGHT
    (count,) = struct.unpack_from(f"{order}H", exif, directory)
    for place in range(directory + 2, min(directory + 2 + 12 * count, len(exif) - 11), 12):
        tag, kind, _, value = struct.unpack_from(f"{order}HHIH", exif, place)
        if tag == TAG:
            return value if kind == _SHORT and value in TURNS else UPRIGHT
    return UPRIGHT
