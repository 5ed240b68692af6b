"""Files made to cost much cost little, and two files in one are one: what is in front, or an error."""

from __future__ import annotations

import struct
import subprocess
import sys
import time
import zlib

import numpy as np
import pytest
from PIL import Image

from core.errors import CorruptImage, PneumoscreenError, TooManyPixels, UnsupportedType
from imaging import segments
from imaging.decode import decode
from tests.testing import factories, hostile
from tests.testing.paths import REPOSITORY
from tests.unit.model.factories import encode, gradient

QUICK_S = 1.0
ZEROS = zlib.compress(bytes(50_000_000), 9)
TEXT = zlib.compress(bytes(1_000_000), 9)
EXIF = b"Exif\0\0"

BOMBS = {
    "zTXt": hostile.png_with(hostile.chunk(b"zTXt", b"k\0\0" + ZEROS)),
    "iTXt": hostile.png_with(hostile.chunk(b"iTXt", b"k\0\1\0\0\0" + ZEROS)),
    "iCCP": hostile.png_with(hostile.chunk(b"iCCP", b"k\0\0" + ZEROS)),
    "many zTXt": hostile.png_with(*[hostile.chunk(b"zTXt", b"k%d\0\0" % i + TEXT) for i in range(100)]),
    "many tEXt": hostile.png_with(hostile.chunk(b"tEXt", b"k\0") * 50_000),
    "eXIf": hostile.png_with(hostile.chunk(b"eXIf", hostile.exif(0x4000, 20_000_000, 20_000_000))),
    "EXIF": hostile.jpeg_with(hostile.segment(0xE1, EXIF + hostile.exif(5000, 60_000))),
    "EXIF in pieces": hostile.jpeg_with(
        hostile.segment(0xE1, EXIF + hostile.exif(5000, 20_000_000)),
        *[hostile.segment(0xE1, EXIF + bytes(65_000))] * 300,
    ),
    "MPF": hostile.jpeg_with(hostile.segment(0xE2, b"MPF\0" + hostile.exif(5000, 60_000))),
    "ICC": hostile.jpeg_with(*[hostile.segment(0xE2, b"ICC_PROFILE\0" + bytes(65_000))] * 300),
    "comments": hostile.jpeg_with(hostile.segment(0xFE, b"") * 50_000),
}
"""Sound pixels and metadata that nothing here reads: they decode as if it were not there."""


_MEASURE = """
import io, resource, sys
from imaging.decode import decode
from tests.testing import hostile
from PIL import Image
decode(hostile.png()); decode(hostile.encode(Image.new("L", (8, 8)), "JPEG"))
data = sys.stdin.buffer.read()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
decode(data)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)
"""


def quickly(data: bytes) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]] | PneumoscreenError:
    """The pixels or the error, after less than a second of processor time."""
    before_s = time.process_time()
    try:
        outcome: np.ndarray[tuple[int, ...], np.dtype[np.uint8]] | PneumoscreenError = decode(data)
    except PneumoscreenError as error:
        outcome = error
    assert time.process_time() - before_s < QUICK_S
    return outcome


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_in_the_metadata_is_never_unpacked(name: str) -> None:
    outcome = quickly(BOMBS[name])
    assert isinstance(outcome, np.ndarray)
    assert outcome.shape == (8, 8)


@pytest.mark.parametrize("scans", [1000, 10_000])
def test_a_small_jpeg_with_very_many_scans_is_refused(scans: int) -> None:
    outcome = quickly(hostile.jpeg_of_scans(scans, (2000, 2000)))
    assert isinstance(outcome, CorruptImage)
    assert "more than 64 scans" in outcome.message


def test_the_scans_of_an_encoder_are_fine() -> None:
    gray = gradient(64, 64)
    assert np.abs(decode(encode(gray, "JPEG", progressive=True, quality=95)).astype(int) - gray).max() <= 3
    colour = encode(Image.fromarray(gray).convert("RGB"), "JPEG", progressive=True)
    assert colour.count(b"\xff\xda") < segments.MAX_SCANS / 2


@pytest.mark.parametrize("size_px", [(1, 90_000), (90_000, 1)])
def test_a_side_longer_than_any_detectors_is_refused(size_px: tuple[int, int]) -> None:
    with pytest.raises(TooManyPixels, match="a side may have 65,535"):
        decode(hostile.png(*size_px))


def header(width: int, height: int) -> bytes:
    return hostile.chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))


def test_a_second_png_header_does_not_get_past_the_pixel_limit() -> None:
    assert isinstance(quickly(hostile.png_with(header(60_000, 60_000))), CorruptImage)


def test_a_second_jpeg_frame_does_not_get_past_the_pixel_limit() -> None:
    jpeg = factories.jpeg(size_px=(8, 8))
    scan = jpeg.index(b"\xff\xda")
    frame = hostile.segment(0xC0, b"\x08\xff\xff\xff\xff\x01\x01\x11\x00")
    assert isinstance(quickly(jpeg[:scan] + frame + jpeg[scan:]), CorruptImage)


def test_a_header_that_promises_more_rows_than_there_are() -> None:
    assert isinstance(quickly(factories.png_header(1000, 1000)), CorruptImage)


def test_rows_that_unpack_to_more_than_the_header_says_are_not_unpacked() -> None:
    data = hostile.PNG_SIGNATURE + header(8, 8) + hostile.chunk(b"IDAT", ZEROS) + hostile.chunk(b"IEND")
    assert isinstance(quickly(data), np.ndarray | CorruptImage)


def test_a_palette_image_without_its_palette() -> None:
    palette = encode(Image.fromarray(gradient()).convert("P"))
    without = hostile.PNG_SIGNATURE + b"".join(
        hostile.chunk(kind, body) for kind, body in hostile.png_parts(palette) if kind != b"PLTE"
    )
    assert isinstance(quickly(without), CorruptImage)


def test_a_jpeg_of_12_bits_is_named() -> None:
    jpeg = bytearray(factories.jpeg(size_px=(8, 8)))
    jpeg[jpeg.index(b"\xff\xc0") + 4] = 12
    with pytest.raises(UnsupportedType, match="12 bits a sample"):
        decode(bytes(jpeg))


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
@pytest.mark.parametrize("tail", [b"PK\x03\x04" + bytes(500), b"<html><script>alert(1)</script>", b"%PDF-1.7"])
def test_a_file_behind_the_image_changes_no_pixel(kind: str, tail: bytes) -> None:
    plain = encode(gradient(), kind)
    assert np.array_equal(decode(plain + tail), decode(plain))


def test_of_several_frames_the_first_counts() -> None:
    frames = [Image.fromarray(np.full((16, 16), value, np.uint8)) for value in (10, 200)]
    for kind in ("PNG", "MPO"):
        several = encode(frames[0], kind, save_all=True, append_images=frames[1:])
        assert abs(float(decode(several).mean()) - 10) < 2


@pytest.mark.parametrize("shape", ["gray 16", "RGBA 8", "CMYK"])
def test_memory_is_bounded_by_the_pixels(shape: str) -> None:
    """At most 12 bytes a pixel, measured on four megapixels in a process of its own."""
    side_px = 2000
    data = {
        "gray 16": lambda: hostile.png(side_px, side_px, bits=16),
        "RGBA 8": lambda: hostile.png(side_px, side_px, colour_type=6),
        "CMYK": lambda: hostile.encode(Image.new("CMYK", (side_px, side_px)), "JPEG"),
    }[shape]()
    grown = subprocess.run(
        [sys.executable, "-c", _MEASURE], input=data, capture_output=True, cwd=REPOSITORY, check=True, timeout=300
    )
    assert int(grown.stdout) < 12 * side_px**2 + len(data) * 4 + 2_000_000
