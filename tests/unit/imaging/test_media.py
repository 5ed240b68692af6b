"""What a file is, is told by its header alone, and by no name."""

from __future__ import annotations

import contextlib
import gzip
import io
import tarfile
import zipfile

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from PIL import Image

from core.errors import CorruptImage, EmptyFile, PneumoscreenError, TooManyPixels, UnsupportedType
from imaging.media import MediaInfo, sniff
from tests.testing import factories

PNG = factories.png(size_px=(12, 10))
JPEG = factories.jpeg(size_px=(12, 10))


def of(data: bytes) -> MediaInfo:
    return sniff(io.BytesIO(data))


def encoded(kind: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (12, 10)).save(buffer, kind)
    return buffer.getvalue()


def a_zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.png", PNG)
    return buffer.getvalue()


def a_tar(form: int) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as archive:
        archive.addfile(tarfile.TarInfo("a.png"))
    return buffer.getvalue()


def before_posix(tar: bytes) -> bytes:
    """Without its magic, and with the checksum of that."""
    head = bytearray(tar[:512])
    head[257:265] = bytes(8)
    head[148:156] = b" " * 8
    head[148:156] = b"%06o\0 " % sum(head)
    return bytes(head) + tar[512:]


def an_office_zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("[Content_Types].xml", b"")
    return buffer.getvalue()


@pytest.mark.parametrize(("data", "media_type"), [(PNG, "image/png"), (JPEG, "image/jpeg")])
def test_type_and_size_are_read_from_the_header(data: bytes, media_type: str) -> None:
    assert of(data) == MediaInfo(media_type, 12, 10)


@pytest.mark.parametrize("data", [PNG, JPEG])
def test_the_position_is_at_the_start_again(data: bytes) -> None:
    file = io.BytesIO(data)
    sniff(file)
    assert file.tell() == 0


def test_a_file_without_bytes_is_empty() -> None:
    with pytest.raises(EmptyFile, match="0 bytes"):
        of(b"")


@pytest.mark.parametrize(
    ("data", "named"),
    [
        (a_zip(), "zip archive: unpack it first"),
        (b"PK\x05\x06" + bytes(18), "an empty zip archive"),
        (b"%PDF-1.7", "a PDF document"),
        (encoded("GIF"), "a GIF image"),
        (encoded("BMP"), "a BMP image"),
        (encoded("TIFF"), "a TIFF image"),
        (b"MM\x00*" + bytes(8), "a TIFF image"),
        (b"\x1f\x8b\x08", "a gzip archive"),
        (b"\x00\x00\x00\x0cjP  \r\n", "a JPEG 2000 image"),
        (b"RIFF\x00\x00\x00\x00WEBP", "a WebP image"),
        (bytes(128) + b"DICM", "a DICOM file"),
        ("Befund: unauffällig\n".encode(), "a text file"),
        (b"\x00\x01\x02\x03", "something else"),
        (bytes(4) + b"ftypheic", "a HEIC image: save it as PNG"),
        (bytes(4) + b"ftypmif1", "a HEIC image"),
        (bytes(4) + b"ftypavif", "an AVIF image"),
        (bytes(4) + b"ftypisom", "an MP4 film"),
        (bytes(4) + b"ftypqt  ", "a QuickTime film"),
        (b"\xff\x0a\xfa\x1f", "a JPEG XL image"),
        (b"\x00\x00\x00\x0cJXL \r\n\x87\n", "a JPEG XL image"),
        (b"\xff\x4f\xff\x51\x00\x2f", "a JPEG 2000 image"),
        (b"II+\x00\x08\x00\x00\x00", "a BigTIFF image"),
        (b"\x5c\x01\x00\x00" + bytes(340) + b"n+1\x00", "a NIfTI volume"),
        (b"\x1c\x02\x00\x00n+2\x00\r\n\x1a\n", "a NIfTI volume"),
        (gzip.compress(b"\x5c\x01\x00\x00" + bytes(340) + b"n+1\x00", mtime=0), "a compressed NIfTI volume"),
        (b"\x02\x00\x00\x00UL\x04\x00" + bytes(8), "a DICOM file"),
        (b"\x08\x00\x05\x00CS\x0a\x00ISO_IR 100", "a DICOM file"),
        (b"\x08\x00\x05\x00\x0a\x00\x00\x00ISO_IR 100", "a DICOM file"),
        (b"\x08\x00\x08\x00\x10\x00\x00\x00ORIGINAL\\PRIMARY", "a DICOM file"),
        (b"7z\xbc\xaf\x27\x1c\x00\x04", "a 7z archive: unpack it first"),
        (b"Rar!\x1a\x07\x01\x00", "a RAR archive"),
        (a_tar(tarfile.GNU_FORMAT), "a tar archive: unpack it first, or send it with `pneumoscreen submit`"),
        (before_posix(a_tar(tarfile.USTAR_FORMAT)), "a tar archive"),
        (b"BZh91AY&SY", "a bzip2 archive"),
        (b"\xfd7zXZ\x00", "an xz archive"),
        (b"\x28\xb5\x2f\xfd\x04", "a Zstandard archive"),
        (an_office_zip(), "an office document"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Microsoft Office document"),
        (b"\n<!DOCTYPE html><html>", "a web page (HTML)"),
        (b"<?xml version='1.0'?><svg/>", "an SVG drawing"),
        (b"<?xml version='1.0'?><r/>", "an XML file"),
        ("Befund".encode("utf-16"), "a text file"),
        (b"BMI of all patients, 2023", "a text file"),
        (b"RIFF\x00\x00\x00\x00AVI LIST", "an AVI film"),
        (b"\x00\x05\x16\x07\x00\x02", "AppleDouble"),
        (b"/annex/objects/SHA256E-s1--0.png\n", "`git annex get` fetches the image"),
        (b"version https://git-lfs.github.com/spec/v1\n", "`git lfs pull` fetches it"),
    ],
)
def test_what_is_sent_by_mistake_is_called_by_its_name(data: bytes, named: str) -> None:
    with pytest.raises(UnsupportedType) as caught:
        of(data)
    assert named in caught.value.message


@pytest.mark.parametrize("data", [PNG[:20], JPEG[:20], PNG[:8], JPEG[:3]])
def test_a_header_cut_short_is_corrupt(data: bytes) -> None:
    with pytest.raises(CorruptImage):
        of(data)


def test_pixels_cut_short_are_not_the_headers_business() -> None:
    assert of(PNG[:60]).width_px == 12


def test_a_header_that_claims_900_megapixels_is_refused_without_decoding() -> None:
    with pytest.raises(TooManyPixels, match="30000 x 30000 pixels; the limit is 100 megapixels"):
        of(factories.png_header(30_000, 30_000))


def test_an_image_of_just_the_limit_is_taken() -> None:
    assert sniff(io.BytesIO(PNG), max_pixels=120).height_px == 10
    with pytest.raises(TooManyPixels):
        sniff(io.BytesIO(PNG), max_pixels=119)


def check(data: bytes) -> None:
    """`sniff` answers or raises one of our errors, and leaves the position at the start."""
    file = io.BytesIO(data)
    with contextlib.suppress(PneumoscreenError):
        assert sniff(file).width_px > 0
    assert file.tell() == 0


@given(data=st.binary(max_size=400))
def test_no_bytes_whatever_raise_anything_but_our_errors(data: bytes) -> None:
    check(data)


@given(start=st.sampled_from([PNG[:8], PNG[:33], JPEG[:3], JPEG[:20]]), data=st.binary(max_size=200))
def test_noise_behind_a_good_start_raises_nothing_but_our_errors(start: bytes, data: bytes) -> None:
    check(start + data)


@given(data=st.sampled_from([PNG, JPEG]), place=st.integers(0, 159), value=st.integers(0, 255))
@hypothesis_settings(max_examples=300)
def test_one_wrong_byte_raises_nothing_but_our_errors(data: bytes, place: int, value: int) -> None:
    damaged = bytearray(data)
    damaged[place % len(damaged)] = value
    check(bytes(damaged))
