"""Whatever the bytes: uint8 (H, W), or an error that a user is meant to see."""

from __future__ import annotations

import numpy as np
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from PIL import Image

from core.errors import PneumoscreenError
from imaging.decode import decode
from tests.fuzz.seeds import seeds
from tests.testing import hostile
from tests.unit.model.factories import encode

MODES = {"PNG": ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"], "JPEG": ["L", "RGB", "CMYK", "YCbCr"]}
KINDS = st.sampled_from([(kind, mode) for kind, modes in MODES.items() for mode in modes])
SIDES = st.integers(1, 40)

relaxed = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def _picture(mode: str, width: int, height: int, seed: int) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    if mode == "I;16":
        return Image.fromarray(pixels[..., 0].astype(np.uint16) * 16)
    return Image.fromarray(pixels).convert(mode)


@relaxed
@given(KINDS, SIDES, SIDES, st.integers(0, 99))
def test_any_size_and_mode(kind_mode: tuple[str, str], width: int, height: int, seed: int) -> None:
    kind, mode = kind_mode
    decoded = decode(encode(_picture(mode, width, height, seed), kind))
    assert decoded.dtype == np.uint8
    assert decoded.shape == (height, width)


@relaxed
@given(KINDS, st.data())
def test_damaged_bytes(kind_mode: tuple[str, str], data: st.DataObject) -> None:
    kind, mode = kind_mode
    damaged = bytearray(encode(_picture(mode, 24, 16, 0), kind))
    places = st.tuples(st.integers(0, len(damaged) - 1), st.integers(0, 255))
    for place, value in data.draw(st.lists(places, min_size=1, max_size=20)):
        damaged[place] = value
    _decodes_or_explains(bytes(damaged))


@relaxed
@given(KINDS, st.integers(0, 2000))
def test_cut_anywhere(kind_mode: tuple[str, str], length: int) -> None:
    kind, mode = kind_mode
    _decodes_or_explains(encode(_picture(mode, 24, 16, 0), kind)[:length])


@relaxed
@given(st.binary(max_size=300), st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"]))
def test_noise_behind_a_signature(noise: bytes, signature: bytes) -> None:
    _decodes_or_explains(signature + noise)


@relaxed
@given(st.sampled_from(seeds()), st.data())
def test_parts_left_out_doubled_and_shuffled(seed: bytes, data: st.DataObject) -> None:
    is_png = seed.startswith(hostile.PNG_SIGNATURE)
    pieces = [hostile.chunk(*part) for part in hostile.png_parts(seed)] if is_png else hostile.jpeg_parts(seed)
    chosen = data.draw(st.lists(st.sampled_from(pieces), max_size=len(pieces) + 3))
    _decodes_or_explains((hostile.PNG_SIGNATURE if is_png else b"\xff\xd8\xff") + b"".join(chosen))


@relaxed
@given(st.sampled_from(seeds()), st.lists(st.tuples(st.floats(0, 1), st.integers(0, 7)), min_size=1, max_size=12))
def test_flipped_bits_below_right_checksums(seed: bytes, flips: list[tuple[float, int]]) -> None:
    damaged = bytearray(seed)
    for share, bit in flips:
        damaged[int(share * (len(damaged) - 1))] ^= 1 << bit
    _decodes_or_explains(hostile.mended(bytes(damaged)))


@relaxed
@given(st.sampled_from(seeds()), st.floats(0, 1), st.binary(max_size=64))
def test_cut_short_with_something_else_behind(seed: bytes, share: float, tail: bytes) -> None:
    _decodes_or_explains(seed[: int(len(seed) * share)] + tail)


def _decodes_or_explains(data: bytes) -> None:
    for at_least_px in (None, 1):
        try:
            decoded = decode(data, max_pixels=1_000_000, at_least_px=at_least_px)
        except PneumoscreenError as error:
            note(f"refused: {error.message}")
        else:
            assert decoded.dtype == np.uint8
            assert decoded.ndim == 2
