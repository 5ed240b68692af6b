"""16 bits become 8 by the values that a radiograph uses, whatever its depth, offset, markers and channels."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from numpy.typing import NDArray

from imaging import preprocess
from imaging.decode import decode
from imaging.raster import depth
from tests.testing import hostile
from tests.unit.model.factories import encode, gradient

GRAY = gradient(300, 400)


def deep(bits: int, gray: NDArray[np.uint8] = GRAY) -> NDArray[np.uint16]:
    return (gray.astype(np.uint32) * ((1 << bits) - 1) // 255).astype(np.uint16)


def png_of_16_bits(channels: NDArray[np.uint16], colour_type: int) -> bytes:
    height, width = channels.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in channels)
    header = struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return hostile.PNG_SIGNATURE + b"".join(hostile.chunk(kind, body) for kind, body in chunks)


def assert_alike(decoded: NDArray[np.uint8], gray: NDArray[np.uint8] = GRAY) -> None:
    assert np.abs(decoded.astype(int) - gray).max() <= 4


@pytest.mark.parametrize("bits", [9, 10, 11, 12, 13, 14, 15, 16])
def test_every_depth_gives_the_8_bit_picture(bits: int) -> None:
    assert_alike(decode(encode(deep(bits))))


def as_bones_are(gray: NDArray[np.uint8] = GRAY) -> NDArray[np.uint8]:
    """White made as white as it is in radiographs that were not made for a depth."""
    whitest: NDArray[np.uint8] = np.rint(gray * 0.94).astype(np.uint8)
    return whitest


@pytest.mark.parametrize("share", [0.3, 0.55, 0.6, 0.7, 0.8])
@pytest.mark.parametrize("bits", [12, 13, 16])
def test_a_depth_that_is_not_filled_is_no_reason_to_be_dark(bits: int, share: float) -> None:
    dim = (deep(bits) * share).astype(np.uint16)
    assert_alike(decode(encode(dim)), as_bones_are())


@pytest.mark.parametrize("offset", [1024, 32768])
def test_an_offset_is_taken_away(offset: int) -> None:
    assert_alike(decode(encode(deep(12) + np.uint16(offset))), as_bones_are())


def test_an_offset_of_1_changes_nothing() -> None:
    assert_alike(decode(encode(deep(12) + np.uint16(1))))


@pytest.mark.parametrize("stray", [0, 5000, 65535])
def test_one_stray_pixel_moves_nothing(stray: int) -> None:
    pixels = deep(12) + np.uint16(1024)
    pixels[150, 200] = stray
    decoded = decode(encode(pixels))
    decoded[150, 200] = as_bones_are()[150, 200]
    assert_alike(decoded, as_bones_are())


@pytest.mark.parametrize(("marker", "shown"), [(65535, 255), (0, 0)])
def test_padding_and_markers_move_nothing_however_many_there_are(marker: int, shown: int) -> None:
    pixels = deep(12) + np.uint16(8000)
    pixels[:60] = marker
    decoded = decode(encode(pixels))
    assert (decoded[:60] == shown).all()
    assert np.abs(decoded[60:].astype(int) - GRAY[60:]).max() < 30  # stretched by what the cut rows had, no more


@pytest.mark.parametrize(("colour_type", "channels"), [(4, 2), (2, 3), (6, 4)])
def test_every_layout_of_channels_keeps_its_16_bits(colour_type: int, channels: int) -> None:
    pixels = np.repeat(deep(12)[..., None], channels, axis=2)
    if colour_type in (4, 6):
        pixels[..., -1] = 65535
    assert_alike(decode(png_of_16_bits(pixels, colour_type)))


def test_transparency_of_16_bits_shows_black() -> None:
    pixels = np.stack([deep(12), np.full_like(deep(12), 65535)], axis=2)
    pixels[:100, :, 1] = 0
    decoded = decode(png_of_16_bits(pixels, 4))
    assert decoded[:100].max() == 0
    assert_alike(decoded[100:], GRAY[100:])


def test_a_very_narrow_range_is_told_and_not_stretched_to_noise() -> None:
    pixels = np.random.default_rng(0).integers(30_000, 30_010, (300, 300)).astype(np.uint16)
    gray, narrow = depth.to_8_bit(pixels)
    assert narrow
    assert np.ptp(gray) <= 10
    assert "nearly uniform" in preprocess.prepare(encode(pixels)).notes[0]
    assert preprocess.prepare(encode(deep(12))).notes == ()
