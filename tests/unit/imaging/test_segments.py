"""The parts of a file are walked whatever they claim, and their number is limited."""

from __future__ import annotations

import io

import pytest

from core.errors import CorruptImage
from imaging import segments
from tests.testing import factories, hostile

PNG = factories.png(size_px=(12, 10))
JPEG = factories.jpeg(size_px=(12, 10))


def head(data: bytes) -> list[int | bytes]:
    return [part.kind for part in segments.jpeg_head(io.BytesIO(data))]


def first_scan(data: bytes) -> int:
    return list(segments.jpeg_head(io.BytesIO(data)))[-1].start


def test_the_head_of_a_jpeg_ends_with_its_first_scan() -> None:
    kinds = head(JPEG)
    assert kinds[0] == 0xE0
    assert kinds[-1] == segments.START_OF_SCAN
    assert len(set(kinds) & segments.FRAMES) == 1


def test_padding_between_segments_is_passed_over_up_to_a_limit() -> None:
    assert head(JPEG[:2] + b"\xff" * 9 + JPEG[2:]) == head(JPEG)
    with pytest.raises(CorruptImage):
        head(JPEG[:2] + b"\xff" * 100 + JPEG[2:])


@pytest.mark.parametrize("length", [b"\0\0", b"\0\1", b"\xff\xff"])
def test_a_segment_that_lies_about_its_length_ends_the_walk(length: bytes) -> None:
    with pytest.raises(CorruptImage):
        head(b"\xff\xd8\xff\xe0" + length)


def test_a_jpeg_of_more_segments_than_any_encoder_writes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "MAX_PARTS", 1000)
    with pytest.raises(CorruptImage, match="more than 1,000 segments"):
        head(hostile.jpeg_with(hostile.segment(0xFE, b"") * 1000))


def test_what_follows_the_end_of_a_jpeg_is_no_part_of_it() -> None:
    assert segments.jpeg_scans(JPEG + b"PK\x03\x04" + JPEG, first_scan(JPEG))[1] == len(JPEG)


def test_a_jpeg_without_an_end_ends_with_the_file() -> None:
    assert segments.jpeg_scans(JPEG[:-2], first_scan(JPEG))[1] == len(JPEG) - 2


def test_restart_markers_and_stuffed_bytes_are_no_segments() -> None:
    body = b"\x01\xff\x00\x02\xff\xd0\x03\xff\xd7\xff\x00"
    assert segments.jpeg_scans(b"\xff\xda\x00\x02" + body + b"\xff\xd9tail", 0)[1] == 4 + len(body) + 2


def test_an_end_inside_a_comment_hides_no_scans() -> None:
    data = hostile.jpeg_of_scans(segments.MAX_SCANS, between=hostile.segment(0xFE, b"\xff\xd9"))
    with pytest.raises(CorruptImage, match="more than 64 scans"):
        segments.jpeg_scans(data, first_scan(data))


def test_the_chunks_of_a_png_end_with_its_end() -> None:
    assert [part.kind for part in segments.png_chunks(PNG + PNG)] == [b"IHDR", b"IDAT", b"IEND"]


@pytest.mark.parametrize("data", [PNG[:-1], PNG[:40], PNG[:8], hostile.PNG_SIGNATURE + b"\xff\xff\xff\xffIDAT" * 2])
def test_a_chunk_that_reaches_beyond_the_file_ends_with_it(data: bytes) -> None:
    assert all(part.end <= len(data) for part in segments.png_chunks(data))


@pytest.mark.parametrize(
    ("lead", "bytes_before"), [(b"", 0), (b"\n", 1), (b"\xef\xbb\xbf", 3), (b"\xef\xbb\xbf\r\n ", 6), (b"x", 0)]
)
@pytest.mark.parametrize("data", [PNG, JPEG])
def test_a_byte_order_mark_and_blanks_may_stand_in_front(data: bytes, lead: bytes, bytes_before: int) -> None:
    assert segments.leading_bytes(lead + data) == bytes_before


def test_a_png_of_more_chunks_than_any_encoder_writes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "MAX_PARTS", 1000)
    with pytest.raises(CorruptImage, match="more than 1,000 chunks"):
        list(segments.png_chunks(hostile.png_with(hostile.chunk(b"tEXt") * 1000)))


@pytest.mark.parametrize("kind", [b"IHDR", b"IDAT", b"PLTE", b"tRNS", 0xC2, 0xC4, 0xDB, 0xDD, 0xEE])
def test_what_the_pixels_need_is_kept(kind: int | bytes) -> None:
    assert segments.Part(kind, 0, 4, 8).for_pixels


@pytest.mark.parametrize("kind", [b"zTXt", b"iCCP", b"eXIf", b"fdAT", 0xE1, 0xE2, 0xED, 0xFE])
def test_metadata_is_not(kind: int | bytes) -> None:
    assert not segments.Part(kind, 0, 4, 8).for_pixels
