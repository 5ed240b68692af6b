"""What a file is, from its header alone: no pixel is decoded here, and no name or declared type is believed."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import BinaryIO

from PIL import Image, UnidentifiedImageError

from core.errors import CorruptImage, EmptyFile, TooManyPixels, UnsupportedType

MAX_PIXELS = 100_000_000
"""100 megapixels: five times the largest detector, 100 MB as 8-bit gray."""

# Our own limit, checked on the header below, stands in for Pillow's, which only warns up to twice its value.
Image.MAX_IMAGE_PIXELS = None

PILLOW_FORMATS = ("JPEG", "PNG")
MEDIA_TYPES = {"JPEG": "image/jpeg", "MPO": "image/jpeg", "PNG": "image/png"}
"""By Pillow's name of the format; MPO is a JPEG with more pictures behind the first, as some cameras write it."""

# Leading bytes of what people send by mistake, to name it in the error.
_OTHERS: tuple[tuple[bytes, str], ...] = (
    (b"PK\x03\x04", "a zip archive: unpack it first, or send it with `pneumoscreen submit`"),
    (b"PK\x05\x06", "an empty zip archive"),
    (b"%PDF", "a PDF document"),
    (b"GIF8", "a GIF image"),
    (b"BM", "a BMP image"),
    (b"II*\x00", "a TIFF image"),
    (b"MM\x00*", "a TIFF image"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"\x00\x00\x00\x0cjP  ", "a JPEG 2000 image"),
    (b"RIFF", "a WebP image or other RIFF file"),
)


@dataclass(frozen=True, slots=True)
class MediaInfo:
    """What the header of an image says: its type (`image/jpeg`, `image/png`) and size in pixels."""

    media_type: str
    width_px: int
    height_px: int


def sniff(file: BinaryIO, *, max_pixels: int = MAX_PIXELS) -> MediaInfo:
    """Read the header of `file` and leave its position at the start.

    Raises:
        EmptyFile: the file has no bytes.
        UnsupportedType: the file is not a JPEG or PNG image.
        CorruptImage: it begins like one, but its header cannot be read.
        TooManyPixels: the header claims more than `max_pixels`.
    """
    head = file.read(132)
    file.seek(0)
    if not head:
        raise EmptyFile("The file is empty (0 bytes).")
    if not head.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")):
        raise UnsupportedType(f"Not a JPEG or PNG image: this looks like {_describe(head)}.")
    try:
        with Image.open(file, formats=PILLOW_FORMATS) as image:
            info = MediaInfo(MEDIA_TYPES[image.format or ""], *image.size)
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, KeyError, struct.error) as error:
        raise CorruptImage("The image's header is damaged or cut short.") from error
    finally:
        file.seek(0)
    if info.width_px * info.height_px > max_pixels:
        raise TooManyPixels(
            f"The image has {info.width_px} x {info.height_px} pixels; "
            f"the limit is {max_pixels / 1e6:g} megapixels. Scale it down first."
        )
    return info


def _describe(head: bytes) -> str:
    for magic, name in _OTHERS:
        if head.startswith(magic):
            return name
    if head[128:132] == b"DICM":
        return "a DICOM file, which this version does not read"
    if all(byte in b"\t\n\r\f" or 32 <= byte < 127 or byte >= 128 for byte in head):
        return "a text file"
    return "something else"
