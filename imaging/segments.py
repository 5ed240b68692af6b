"""The parts of a JPEG (segments) and a PNG (chunks), walked without believing what they claim.

Pillow reads every part of a file, whether the pixels need it or not, and small parts can be made to cost gigabytes
or hours: an EXIF directory of which each entry claims all of the file, a million text chunks, a thousand scans. So
nothing but the parts listed here as pixels ever reaches it, and their number is limited.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from core.errors import CorruptImage

MAX_PARTS = 100_000
"""Of one file. A PNG of 64 MB that is cut into chunks of 8 kB has 8000."""
MAX_SCANS = 64
"""Of a JPEG. Progressive encoders write about ten; each costs a pass over all pixels, however few bytes it has."""
MAX_PADDING_BYTES = 64
"""Between two segments of a JPEG."""

START_OF_SCAN = 0xDA
END_OF_IMAGE = 0xD9
FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Start of frame: the segment that says how large the image is."""
EXIF_SEGMENT = 0xE1

# Frames, Huffman and arithmetic tables, quantisation, restart interval, scans; JFIF and Adobe say what the colours are.
_JPEG_PIXELS = FRAMES | {0xC4, 0xCC, 0xDB, 0xDD, START_OF_SCAN, 0xE0, 0xEE}
# 0xFF that is followed by neither a stuffed zero, nor more padding, nor a restart marker.
_MARKER = re.compile(rb"\xff([\x01-\xcf\xd8-\xfe])")
_STANDALONE = frozenset({0x01, 0xD8, END_OF_IMAGE})

_PNG_CHUNK = struct.Struct(">I4s")
_PNG_CHUNK_EXTRA = 12
"""Length, kind and checksum."""
_LEADING = re.compile(rb"(?:\xef\xbb\xbf)?[\r\n\t ]{0,16}(?=\xff\xd8\xff|\x89PNG\r\n\x1a\n)")
"""A byte order mark or blanks that web applications put in front of an image: no pixel is missing."""


def leading_bytes(head: bytes) -> int:
    """How many bytes stand before the signature of a JPEG or PNG; 0 if there is none."""
    match = _LEADING.match(head)
    return match.end() if match else 0


@dataclass(frozen=True, slots=True)
class Part:
    """`kind` is a JPEG marker's second byte or a PNG chunk's name; `start` to `end` is all of it, `body` the inside."""

    kind: int | bytes
    start: int
    body: int
    end: int

    @property
    def for_pixels(self) -> bool:
        """Whether the pixels depend on it. Of a PNG's optional chunks, written in lower case, only transparency."""
        if isinstance(self.kind, bytes):
            return not self.kind[:1].islower() or self.kind == b"tRNS"
        return self.kind in _JPEG_PIXELS


def jpeg_head(file: BinaryIO, start: int = 0) -> Iterator[Part]:
    """The segments of a JPEG that begins at `start`, up to the first scan, that one included.

    Raises:
        CorruptImage: the file ends before the first scan, holds something between its segments, or too many of them.
    """
    position = start + 2
    for _ in range(MAX_PARTS):
        file.seek(position)
        ahead = file.read(MAX_PADDING_BYTES)
        marker = _MARKER.search(ahead)
        if marker is None:
            raise damaged()
        kind, place = marker[1][0], position + marker.start()
        file.seek(place + 2)
        body = file.read(2)
        if kind in _STANDALONE or len(body) < 2:
            raise damaged()
        position = place + 2 + int.from_bytes(body, "big")
        yield Part(kind, place, place + 4, position)
        if kind == START_OF_SCAN:
            return
    raise too_many("segments")


def jpeg_scans(data: bytes, first_scan: int) -> tuple[list[bytes], int]:
    """The headers of the scans of a JPEG whose first one starts at `first_scan`, without markers and lengths.

    And where the JPEG ends: what may follow is no part of the picture.

    Raises:
        CorruptImage: it has more than `MAX_SCANS` scans, or too many segments.
    """
    position, headers = first_scan, list[bytes]()
    for _ in range(MAX_PARTS):
        marker = _MARKER.search(data, position)
        if marker is None:
            return headers, len(data)
        kind, position = marker[1][0], marker.end()
        if kind == END_OF_IMAGE:
            return headers, position
        end = position + int.from_bytes(data[position : position + 2], "big")
        if kind == START_OF_SCAN:
            headers.append(data[position + 2 : end])
        if len(headers) > MAX_SCANS:
            raise CorruptImage(
                f"The JPEG image has more than {MAX_SCANS} scans, which would take too long to decode. Save it anew."
            )
        if kind not in _STANDALONE:
            position = end
    raise too_many("segments")


def png_chunks(data: bytes) -> Iterator[Part]:
    """The chunks of a PNG up to its end; what may follow is no part of the picture.

    Raises:
        CorruptImage: there are too many chunks.

    The last one of a file that was cut short reaches to the end of the file: whether all pixels are there is seen
    when they are unpacked.
    """
    position = 8
    for _ in range(MAX_PARTS):
        if position + _PNG_CHUNK.size > len(data):
            return
        length, kind = _PNG_CHUNK.unpack_from(data, position)
        end = min(position + _PNG_CHUNK_EXTRA + length, len(data))
        yield Part(kind, position, position + _PNG_CHUNK.size, end)
        if kind == b"IEND":
            return
        position = end
    raise too_many("chunks")


def damaged(share: float | None = None) -> CorruptImage:
    """The error of an image of whose pixels only `share`, 0 to 1, is there; None where that cannot be told."""
    if share is None or not 0.005 <= share < 0.995:
        return CorruptImage("The image is damaged or cut short, and cannot be decoded. Send the original file again.")
    return CorruptImage(
        f"The image is damaged or cut short: {share:.0%} of the picture is there. Send the original file again."
    )


def too_many(what: str) -> CorruptImage:
    return CorruptImage(f"The image is cut into more than {MAX_PARTS:,} {what}. Save it anew.")
