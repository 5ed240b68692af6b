"""Every kind of JPEG and PNG comes out gray, upright and whole, or as an error that says what is wrong."""

from __future__ import annotations

import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from PIL import Image

from core.errors import CorruptImage, EmptyFile, TooManyPixels, UnsupportedType
from imaging.decode import decode
from tests.unit.model.factories import encode, gradient


def test_gray_png_is_returned_as_it_is() -> None:
    gray = gradient()
    decoded = decode(encode(gray))
    assert decoded.dtype == np.uint8
    assert np.array_equal(decoded, gray)


def test_gray_jpeg_is_close() -> None:
    gray = gradient()
    assert np.abs(decode(encode(gray, "JPEG", quality=95)).astype(int) - gray).max() <= 3


@pytest.mark.parametrize("mode", ["RGB", "P", "LA", "RGBA"])
def test_modes_that_hold_gray_exactly(mode: str) -> None:
    gray = gradient()
    assert np.array_equal(decode(encode(Image.fromarray(gray).convert(mode))), gray)


@pytest.mark.parametrize("mode", ["CMYK", "YCbCr"])
def test_colour_spaces_of_jpeg(mode: str) -> None:
    gray = gradient()
    decoded = decode(encode(Image.fromarray(gray).convert("RGB").convert(mode), "JPEG", quality=95))
    assert np.abs(decoded.astype(int) - gray).max() <= 4


def test_one_bit_is_black_and_white() -> None:
    assert decode(encode(Image.fromarray(gradient() > 127))).max() == 255


def test_colour_is_weighted_by_luminance() -> None:
    assert decode(encode(Image.new("RGB", (2, 2), (255, 0, 0))))[0, 0] == 76


def test_transparency_shows_black() -> None:
    white = Image.new("LA", (4, 4), (255, 0))
    assert decode(encode(white)).max() == 0


def test_transparent_palette_entry_shows_black() -> None:
    image = Image.fromarray(np.array([[0, 255]], np.uint8)).convert("P")
    assert decode(encode(image, transparency=255)).tolist() == [[0, 0]]


def test_result_is_writable_and_owns_its_pixels() -> None:
    decoded = decode(encode(gradient()))
    decoded[0, 0] = 7
    assert decoded[0, 0] == 7


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_16_bit_files_use_their_significant_bits(bits: int) -> None:
    top = (1 << bits) - 1
    decoded = decode(encode(np.array([[0, top // 2, top]], np.uint16)))
    assert decoded.tolist() == [[0, 127, 255]] or decoded.tolist() == [[0, 128, 255]]


@pytest.mark.parametrize("largest", [255, 40, 1, 0])
def test_8_bits_stretched_to_16_come_back_exactly(largest: int) -> None:
    gray = np.arange(largest + 1, dtype=np.uint8).reshape(1, -1)
    assert np.array_equal(decode(encode(gray.astype(np.uint16) * 257)), gray)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize(
    ("orientation", "upright"),
    [(1, np.array), (3, lambda g: np.rot90(g, 2)), (6, lambda g: np.rot90(g, -1)), (8, np.rot90), (2, np.fliplr)],
)
def test_exif_orientation_is_applied(kind: str, orientation: int, upright: object) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    decoded = decode(encode(gradient(16, 32), kind, exif=exif))
    expected = upright(decode(encode(gradient(16, 32), kind)))  # type: ignore[operator]  # one of the functions above
    assert np.array_equal(decoded, expected)


def test_empty_file() -> None:
    with pytest.raises(EmptyFile):
        decode(b"")


@pytest.mark.parametrize("data", [b"not an image, whatever its name says", b"GIF89a" + bytes(40), b"%PDF-1.7\n"])
def test_other_files_are_named(data: bytes) -> None:
    with pytest.raises(UnsupportedType):
        decode(data)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_truncated(kind: str, share: float) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    data = encode(noise, kind)
    with pytest.raises(CorruptImage):
        decode(data[: int(len(data) * share)])


def test_huge_header_is_refused_before_decoding() -> None:
    with pytest.raises(TooManyPixels, match="30000 x 30000"):
        decode(_png_header(30_000, 30_000))


@pytest.mark.filterwarnings("error")
def test_pillows_limit_counts_for_no_image_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    assert decode(encode(gradient())).shape == gradient().shape


def test_pillows_limit_stays_on_for_everybody_else() -> None:
    code = "import sys, PIL.Image, imaging.decode, imaging.preprocess; sys.exit(PIL.Image.MAX_IMAGE_PIXELS is None)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_limit_can_be_lowered() -> None:
    with pytest.raises(TooManyPixels):
        decode(encode(gradient(20, 30)), max_pixels=599)
    assert decode(encode(gradient(20, 30)), max_pixels=600).shape == (20, 30)


def _png_header(width: int, height: int) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    ihdr = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + ihdr + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")


def test_a_jpeg_is_scaled_down_no_further_than_asked() -> None:
    data = encode(gradient(700, 1000), "JPEG")
    assert [decode(data, at_least_px=px).shape for px in (701, 700, 351, 350, 175, 87, 1)] == [
        (700, 1000), (700, 1000), (700, 1000), (350, 500), (175, 250), (88, 125), (88, 125)
    ]  # fmt: skip


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_scaled_down_it_is_the_same_picture(mode: str) -> None:
    image = Image.fromarray(gradient(700, 1000)).convert("RGB").convert(mode)
    small = decode(encode(image, "JPEG", quality=95), at_least_px=300)
    expected = np.asarray(Image.fromarray(gradient(700, 1000)).resize(small.shape[::-1], Image.Resampling.BOX))
    assert small.shape[0] < 700
    assert np.abs(small.astype(int) - expected).max() <= 6


def test_a_png_keeps_its_size() -> None:
    assert decode(encode(gradient(300, 400)), at_least_px=10).shape == (300, 400)


def test_scaled_down_it_is_turned_upright_too() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encode(gradient(700, 1000), "JPEG", exif=exif.tobytes())
    assert decode(data, at_least_px=350).shape == (500, 350)
