"""Small JPEG and PNG files that are made to cost much, or to be two things at once."""

from __future__ import annotations

import io
import re
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import Any

from PIL import Image

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_AFTER_IHDR = 33
ORIENTATION, SHORT, BYTE = 0x0112, 3, 1


def encode(image: Image.Image, kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def chunk(kind: bytes, body: bytes = b"") -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def png(width_px: int = 8, height_px: int = 8, *, bits: int = 8, colour_type: int = 0) -> bytes:
    """Black, of any size: made row by row."""
    row = bytes(1 + width_px * {0: 1, 2: 3, 4: 2, 6: 4}[colour_type] * bits // 8)
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(row) for _ in range(height_px)) + packer.flush()
    header = struct.pack(">IIBBBBB", width_px, height_px, bits, colour_type, 0, 0, 0)
    return PNG_SIGNATURE + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND")


def png_with(*chunks: bytes) -> bytes:
    """Chunks between the header and the pixels."""
    whole = png()
    return whole[:_AFTER_IHDR] + b"".join(chunks) + whole[_AFTER_IHDR:]


def jpeg_with(*segments: bytes) -> bytes:
    """Segments in front of all others."""
    return b"\xff\xd8" + b"".join(segments) + encode(Image.new("L", (8, 8)), "JPEG")[2:]


def jpeg_of_scans(extra: int, size_px: tuple[int, int] = (8, 8), *, between: bytes = b"") -> bytes:
    """A progressive JPEG whose last scan is repeated; each is a handful of bytes and a pass over all pixels."""
    whole = encode(Image.new("L", size_px, 128), "JPEG", progressive=True)
    last = whole[whole.rindex(b"\xff\xda") : -2]
    return whole[:-2] + (between + last) * extra + b"\xff\xd9"


def lossless_jpeg(width_px: int, height_px: int) -> bytes:
    """Uniform gray 128 by lossless prediction (ITU-T T.81, annex H): one bit, "no difference", a pixel."""
    frame = segment(0xC3, struct.pack(">BHHBBBB", 8, height_px, width_px, 1, 1, 0x11, 0))
    table = segment(0xC4, bytes([0, 1, *bytes(15), 0]))
    scan = segment(0xDA, bytes([1, 1, 0, 1, 0, 0]))
    return b"\xff\xd8" + frame + table + scan + bytes(-(-width_px * height_px // 8)) + b"\xff\xd9"


def exif(entries: int, claimed_bytes: int, held_bytes: int = 0) -> bytes:
    """A TIFF structure of which every entry claims the same `claimed_bytes`."""
    directory = b"".join(struct.pack(">HHII", 0x1000 + i, BYTE, claimed_bytes, 8) for i in range(entries))
    return b"MM\0*\0\0\0\x08" + struct.pack(">H", entries) + directory + bytes(held_bytes)


def exif_orientation(value: int, order: str = ">", kind: int = SHORT) -> bytes:
    start = b"MM\0*" if order == ">" else b"II*\0"
    return start + struct.pack(f"{order}IHHHIHH", 8, 1, ORIENTATION, kind, 1, value, 0)


def png_parts(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The (kind, body) of each chunk of a PNG, however damaged; a chunk cut short ends it."""
    place = len(PNG_SIGNATURE)
    while place + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, place)
        yield kind, data[place + 8 : place + 8 + length]
        place += 12 + length


def mended(data: bytes, change: Callable[[bytes, bytes], bytes] = lambda kind, body: body) -> bytes:
    """A damaged PNG with right lengths and checksums again, so that a decoder gets past these; others as they are."""
    if not data.startswith(PNG_SIGNATURE):
        return data
    return PNG_SIGNATURE + b"".join(chunk(kind, change(kind, body)) for kind, body in png_parts(data))


def jpeg_parts(data: bytes) -> list[bytes]:
    """A JPEG cut before each marker; put together again it is what it was."""
    return re.split(rb"(?=\xff[\xc0-\xcf\xd8-\xfe])", data)
