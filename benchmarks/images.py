"""The X-rays of every measurement: the original files if they are there, else synthetic ones of about their size."""

from __future__ import annotations

import io
import random
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

from PIL import Image, ImageFilter

from tests.testing import factories
from tests.testing.paths import REPOSITORY

ORIGINALS = REPOSITORY.parent / "shared" / "data" / "originals"
SUFFIXES = {".jpg", ".jpeg", ".png"}

MADE = 24
MADE_PX = ((1650, 1347), (1194, 800))
"""Medians of the originals' normal and pneumonia files, which have about 540 and 80 kB."""

_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_HEAD = 33
"""Signature and IHDR: what else a PNG holds comes behind these."""


@dataclass(frozen=True, slots=True)
class Images:
    """Whole files, in a fixed shuffled order, so that large and small ones are mixed in any stretch."""

    source: str
    files: tuple[bytes, ...]

    @property
    def mean_bytes(self) -> float:
        return sum(map(len, self.files)) / len(self.files)

    def stream(self, count: int, salt: str) -> Iterator[tuple[str, bytes]]:
        """`count` named files, all with bytes of their own: the store keeps equal bytes once, which would be cheaper.

        The same `salt` gives the same files again.
        """
        for number, data in enumerate(islice(cycle(self.files), count)):
            yield f"{number}", distinct(data, f"{salt}/{number}")


def load(folder: Path | None) -> Images:
    """Those in `folder`, walked; without one the originals, or made ones if those are not there.

    Raises:
        FileNotFoundError: there is no image in `folder`.
    """
    place = folder or (ORIGINALS if ORIGINALS.is_dir() else None)
    if place is None:
        files = [_made(number) for number in range(MADE)]
        return Images(f"{MADE} made X-rays, {_sizes(MADE_PX)}", _shuffled(files))
    files = [path.read_bytes() for path in sorted(place.rglob("*")) if path.suffix.lower() in SUFFIXES]
    if not files:
        raise FileNotFoundError(f"There is no JPEG or PNG file in {place}.")
    return Images(f"{len(files)} files of {place.name}", _shuffled(files))


def distinct(data: bytes, text: str) -> bytes:
    """The same image in other bytes: `text` in a comment, which no pixel depends on. Anything but a PNG is a JPEG."""
    if data.startswith(_PNG):
        body = b"tEXt" + b"Comment\x00" + text.encode("latin-1")
        chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
        return data[:_PNG_HEAD] + chunk + data[_PNG_HEAD:]
    comment = text.encode()
    return data[:2] + b"\xff\xfe" + struct.pack(">H", len(comment) + 2) + comment + data[2:]


def _made(number: int) -> bytes:
    """A JPEG: half of them large and sharp, half small and soft, as the originals are."""
    size_px = MADE_PX[number % 2]
    picture = Image.fromarray(factories.radiograph(number, size_px=size_px))
    buffer = io.BytesIO()
    if number % 2:
        picture.filter(ImageFilter.GaussianBlur(1)).save(buffer, "JPEG", quality=80)
    else:
        picture.filter(ImageFilter.GaussianBlur(0.5)).save(buffer, "JPEG", quality=92)
    return buffer.getvalue()


def _shuffled(files: list[bytes]) -> tuple[bytes, ...]:
    random.Random(0).shuffle(files)
    return tuple(files)


def _sizes(sizes_px: tuple[tuple[int, int], ...]) -> str:
    return " and ".join(f"{width} x {height} px" for width, height in sizes_px)
