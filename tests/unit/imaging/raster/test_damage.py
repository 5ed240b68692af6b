"""A picture of which a part is missing fails, and says how much is there; one that lacks no pixel is judged."""

from __future__ import annotations

import io
import re
import zlib
from pathlib import Path

import numpy as np
import pytest
import simplejpeg
from numpy.typing import NDArray
from PIL import Image

from core.errors import CorruptImage, UnsupportedType
from imaging import preprocess, segments
from imaging.decode import decode
from tests.testing import hostile
from tests.unit.model.factories import encode

NOISE = np.random.default_rng(0).integers(0, 256, (256, 256), dtype=np.uint8)
GRAY: NDArray[np.uint8] = np.asarray(Image.fromarray(NOISE).resize((400, 400), Image.Resampling.BICUBIC))
JPEG = encode(GRAY, "JPEG", quality=85)
PNG = encode(GRAY)
END = b"\xff\xd9"


def share(data: bytes) -> int:
    with pytest.raises(CorruptImage) as caught:
        decode(data)
    told = re.search(r"(\d+)% of the picture is there", caught.value.message)
    assert told is not None, caught.value.message
    return int(told[1])


@pytest.mark.parametrize("percent", [10, 25, 50, 75, 90])
def test_a_jpeg_cut_short_tells_its_share_though_it_ends_properly(percent: int) -> None:
    place = len(JPEG) * percent // 100
    assert share(JPEG[:place]) == pytest.approx(percent, abs=4)
    assert share(JPEG[:place] + END) == pytest.approx(percent, abs=4)
    assert share(JPEG[:place] + bytes(len(JPEG) - place - 2) + END) == pytest.approx(percent, abs=4)


@pytest.mark.parametrize("place", [0.2, 0.5, 0.8])
@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_zeroed_in_the_middle_fails(place: float, progressive: bool) -> None:
    whole = encode(GRAY, "JPEG", quality=85, progressive=progressive)
    start = int(len(whole) * place)
    with pytest.raises(CorruptImage):
        decode(whole[:start] + bytes(500) + whole[start + 500 :])


COLOURS = np.stack([GRAY, GRAY.T, 255 - GRAY], axis=-1)


def starts_of_scans(data: bytes) -> list[int]:
    return [match.start() for match in re.finditer(rb"\xff\xda", data)]


@pytest.mark.parametrize(
    ("pixels", "percents"),
    [(GRAY, [1, 3, 25, 50, 51]), (COLOURS, [1, 1, 18, 34, 42, 50, 51, 67, 84])],
    ids=["gray", "colour"],
)
@pytest.mark.parametrize("end", [b"", END])
def test_a_progressive_jpeg_cut_between_two_scans_fails(
    pixels: NDArray[np.uint8], percents: list[int], end: bytes
) -> None:
    """Whether a whole band is missing or only the last bits, by which fine structures are seen."""
    whole = encode(pixels, "JPEG", quality=85, progressive=True)
    first, *others = starts_of_scans(whole)
    assert [share(whole[:place] + end) for place in others] == percents
    with pytest.raises(CorruptImage):
        decode(whole[:first] + end)


@pytest.mark.parametrize("pixels", [GRAY, COLOURS], ids=["gray", "colour"])
def test_a_complete_progressive_jpeg_is_judged(pixels: NDArray[np.uint8]) -> None:
    whole = encode(pixels, "JPEG", quality=85, progressive=True)
    alike = Image.open(io.BytesIO(whole))
    alike.draft("L", alike.size)
    assert np.abs(decode(whole).astype(int) - np.asarray(alike, dtype=int)).max() <= 1
    assert decode(whole, at_least_px=100).shape == (100, 100)


def first_scan(data: bytes, marker: int) -> int:
    """Where the first scan of a JPEG begins; 0 if its start of frame is not `marker`."""
    parts = list(segments.jpeg_head(io.BytesIO(data)))
    return parts[-1].start if any(part.kind == marker for part in parts) else 0


def test_every_progressive_radiograph_is_judged_and_fails_when_its_last_scan_is_cut_off(shared_data: Path) -> None:
    files = [path.read_bytes() for path in sorted((shared_data / "originals").rglob("*.jpeg"))]
    progressive = [(data, first_scan(data, 0xC2)) for data in files if first_scan(data, 0xC2)]
    assert progressive
    for data, first in progressive:
        assert decode(data, at_least_px=336).size
        headers, _ = segments.jpeg_scans(data, first)
        last = data.rindex(b"\xff\xda" + (len(headers[-1]) + 2).to_bytes(2, "big") + headers[-1])
        assert 0 < share(data[:last] + END) < 100


def test_a_height_that_was_doubled_fails() -> None:
    frame = JPEG.index(b"\xff\xc0")
    doubled = JPEG[: frame + 5] + (800).to_bytes(2, "big") + JPEG[frame + 7 :]
    assert share(doubled) == pytest.approx(50, abs=2)


@pytest.mark.parametrize("lead", [b"", b"\n", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("whole", [JPEG, encode(GRAY, "JPEG", progressive=True)])
def test_a_jpeg_that_lacks_nothing_but_its_end_is_judged(whole: bytes, lead: bytes) -> None:
    assert np.array_equal(decode(lead + whole[:-2]), decode(whole))


@pytest.mark.parametrize("missing", [4, 12])
def test_a_png_that_lacks_nothing_but_its_end_is_judged(missing: int) -> None:
    assert np.array_equal(decode(PNG[:-missing]), GRAY)


CHECKSUM = PNG.index(b"IDAT") + 4 + int.from_bytes(PNG[PNG.index(b"IDAT") - 4 :][:4], "big")


@pytest.mark.parametrize(
    "sloppy",
    [b"\xef\xbb\xbf" + JPEG, b"\n" + PNG, PNG[:-12], PNG[:CHECKSUM] + b"\0\0\0\0" + PNG[CHECKSUM + 4 :]],
)
def test_what_is_judged_though_a_browser_refuses_it_comes_with_a_picture_for_the_page(sloppy: bytes) -> None:
    assert preprocess.prepare(sloppy).preview is not None
    assert preprocess.prepare(JPEG).preview is None
    assert preprocess.prepare(PNG).preview is None


@pytest.mark.parametrize("percent", [25, 50, 90])
def test_a_png_cut_short_tells_its_share(percent: int) -> None:
    assert share(PNG[: len(PNG) * percent // 100]) == pytest.approx(percent, abs=4)


def test_a_png_whose_pixels_were_changed_fails_and_one_with_a_wrong_checksum_alone_is_judged() -> None:
    start = PNG.index(b"IDAT") + 4
    length = int.from_bytes(PNG[start - 8 : start - 4], "big")
    checksum = start + length
    assert np.array_equal(decode(PNG[:checksum] + b"\0\0\0\0" + PNG[checksum + 4 :]), GRAY)
    middle = start + length // 2
    with pytest.raises(CorruptImage):
        decode(PNG[:middle] + bytes([PNG[middle] ^ 8]) + PNG[middle + 1 :])


def test_a_checksum_of_the_pixels_that_is_wrong_under_a_right_one_of_the_chunk_is_damage() -> None:
    rows = b"".join(b"\0" + row.tobytes() for row in GRAY)
    packed = zlib.compress(rows)[:-4] + b"\0\0\0\0"
    header = PNG[16:29]
    chunks = hostile.chunk(b"IHDR", header) + hostile.chunk(b"IDAT", packed)
    with pytest.raises(CorruptImage):
        decode(hostile.PNG_SIGNATURE + chunks)


@pytest.mark.parametrize(
    ("marker", "name"), [(0xC5, "hierarchical"), (0xCB, "lossless JPEG image with arithmetic"), (0xF7, "JPEG-LS")]
)
def test_a_process_that_is_not_read_is_named(marker: int, name: str) -> None:
    with pytest.raises(UnsupportedType, match=name):
        decode(JPEG.replace(b"\xff\xc0", bytes([0xFF, marker]), 1))


def test_a_lossless_jpeg_is_never_scaled(monkeypatch: pytest.MonkeyPatch) -> None:
    """libjpeg-turbo 3, as simplejpeg 1.9.0 carries it, reads beyond its memory when it is asked to."""
    asked: list[int] = []
    decoder = simplejpeg.decode_jpeg

    def spy(data: bytes, colours: str, *, min_width: int, min_height: int) -> NDArray[np.uint8]:
        asked.append(max(min_width, min_height))
        return decoder(data, colours, min_width=min_width, min_height=min_height)  # type: ignore[no-any-return]

    monkeypatch.setattr(simplejpeg, "decode_jpeg", spy)
    gray = decode(hostile.lossless_jpeg(900, 800), at_least_px=100)

    assert gray.shape == (800, 900)
    assert (gray == 128).all()
    assert asked == [0]


@pytest.mark.parametrize("bits", [12, 16])
def test_more_than_8_bits_of_a_jpeg_are_named(bits: int) -> None:
    whole = hostile.lossless_jpeg(900, 800)
    place = whole.index(b"\xff\xc3") + 4
    with pytest.raises(UnsupportedType, match=f"{bits} bits"):
        decode(whole[:place] + bytes([bits]) + whole[place + 1 :])


def test_a_height_behind_the_pixels_is_named() -> None:
    frame = JPEG.index(b"\xff\xc0")
    with pytest.raises(UnsupportedType, match="DNL"):
        decode(JPEG[: frame + 5] + b"\0\0" + JPEG[frame + 7 :])


def test_gamma_is_applied_as_browsers_do() -> None:
    gray = encode(np.full((4, 4), 64, np.uint8))

    def with_chunks(*chunks: bytes) -> bytes:
        return gray[:33] + b"".join(chunks) + gray[33:]

    gamma = hostile.chunk(b"gAMA", (100_000).to_bytes(4, "big"))
    assert decode(with_chunks(gamma))[0, 0] == 136  # 255 * (64 / 255) ** 0.45455
    assert decode(with_chunks(gamma, hostile.chunk(b"sRGB", b"\0")))[0, 0] == 64
    assert decode(with_chunks(hostile.chunk(b"gAMA", (45_455).to_bytes(4, "big"))))[0, 0] == 64
    assert decode(with_chunks(hostile.chunk(b"gAMA", bytes(4))))[0, 0] == 64
