"""What a file is, from its header alone: no pixel is decoded here, and no name or declared type is believed."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import BinaryIO

from core.errors import CorruptImage, EmptyFile, TooManyPixels, UnsupportedType
from imaging import segments
from imaging.identify import HEAD_BYTES, identify

MAX_PIXELS = 100_000_000
"""100 megapixels: five times the largest detector, 100 MB as 8-bit gray."""

MAX_SIDE_PX = 65_535
"""The most that a JPEG can have. A PNG of one column and 100 million rows would cost 4 GB for its row pointers."""

_JPEG = b"\xff\xd8\xff"
_PNG = b"\x89PNG\r\n\x1a\n"
IMAGE_MAGIC = (_JPEG, _PNG)


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
        TooManyPixels: the header claims more than `max_pixels`, or a side longer than `MAX_SIDE_PX`.
    """
    head = file.read(HEAD_BYTES)
    file.seek(0)
    if not head:
        raise EmptyFile("The file is empty (0 bytes).")
    leading = segments.leading_bytes(head)
    if not head.startswith(IMAGE_MAGIC, leading):
        raise UnsupportedType(f"Not a JPEG or PNG image: this looks like {identify(head).sentence}.")
    try:
        info = _png(head[leading:]) if head.startswith(_PNG, leading) else _jpeg(file, leading)
    finally:
        file.seek(0)
    if max(info.width_px, info.height_px) > MAX_SIDE_PX:
        raise TooManyPixels(
            f"The image has {info.width_px} x {info.height_px} pixels; a side may have {MAX_SIDE_PX:,}."
        )
    if info.width_px * info.height_px > max_pixels:
        raise TooManyPixels(
            f"The image has {info.width_px} x {info.height_px} pixels; "
            f"the limit is {max_pixels / 1e6:g} megapixels. Scale it down first."
        )
    return info


def _png(head: bytes) -> MediaInfo:
    """Its first chunk, IHDR, at a fixed place (PNG, section 11.2.1)."""
    width_px, height_px = int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")
    sound = head[8:16] == b"\0\0\0\x0dIHDR" and zlib.crc32(head[12:29]).to_bytes(4, "big") == head[29:33]
    if not sound or not width_px or not height_px:
        raise CorruptImage("The image's header is damaged or cut short.")
    return MediaInfo("image/png", width_px, height_px)


_UNREAD_PROCESSES = {
    **dict.fromkeys((0xC5, 0xC6, 0xC7, 0xCD, 0xCE, 0xCF), "a hierarchical JPEG image"),
    0xCB: "a lossless JPEG image with arithmetic coding",
    0xF7: "a JPEG-LS image",
}
"""By their start of frame (ITU-T T.81, table B.1; T.87)."""


def _jpeg(file: BinaryIO, start: int) -> MediaInfo:
    """Its start of frame, wherever before the first scan (ITU-T T.81, section B.2.2)."""
    frame: bytes | None = None
    for part in segments.jpeg_head(file, start):
        if part.kind in _UNREAD_PROCESSES:
            raise UnsupportedType(f"This is {_UNREAD_PROCESSES[part.kind]}, which is not read: save it as PNG.")
        if part.kind in segments.FRAMES:
            if frame is not None or part.end - part.body < 6:
                raise CorruptImage("The image's header is damaged or cut short.")
            file.seek(part.body)
            frame = file.read(6)
    if frame is None or len(frame) < 6:
        raise CorruptImage("The image's header is damaged or cut short.")
    if frame[0] != 8:
        raise UnsupportedType(f"A JPEG image of {frame[0]} bits a sample is not read: save it as PNG.")
    height_px, width_px = int.from_bytes(frame[1:3], "big"), int.from_bytes(frame[3:5], "big")
    if not height_px and width_px:
        raise UnsupportedType(
            "This JPEG image tells its height only behind its pixels (DNL), which is not read: save it anew."
        )
    if not width_px:
        raise CorruptImage("The image's header is damaged or cut short.")
    return MediaInfo("image/jpeg", width_px, height_px)
