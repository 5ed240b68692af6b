"""What a file is, by its first bytes alone: no name or declared type is believed."""

from __future__ import annotations

import zlib

from imaging.signatures import (
    BMP,
    BRANDS,
    DICOM,
    FILM,
    NIFTI,
    OFFICE,
    TABLE,
    TAR,
    TEXT,
    UNKNOWN,
    ZIP,
    ArchiveForm,
    Kind,
)

HEAD_BYTES = 1024
"""What `identify` wants to see of a file; less is enough for most kinds."""

# The name of a zip's first file, where it makes the zip a document.
_OFFICE_ENTRIES = (b"[Content_Types].xml", b"mimetypeapplication/", b"word/", b"xl/", b"ppt/")
_VALUE_REPRESENTATIONS = (b"AE", b"CS", b"DA", b"LO", b"OB", b"PN", b"SH", b"ST", b"TM", b"UI", b"UL")
_MARKUP = ((b"<!doctype html", "a web page (HTML)"), (b"<html", "a web page (HTML)"), (b"<svg", "an SVG drawing"))


def identify(head: bytes) -> Kind:
    """The kind of a file that is neither JPEG nor PNG; `head` is its first `HEAD_BYTES`."""
    if head[4:8] == b"ftyp":
        return next((kind for brands, kind in BRANDS if head[8:12] in brands), FILM)
    for offset, magic, kind in TABLE:
        if head.startswith(magic, offset) and (offset != 8 or head.startswith(b"RIFF")):
            return _inside(head, kind)
    if head.startswith(b"BM") and head[6:10] == bytes(4):
        return BMP
    if _is_bare_dicom(head):
        return DICOM
    if is_tar(head):
        return TAR
    return _text(head)


def _inside(head: bytes, kind: Kind) -> Kind:
    """`kind`, or what is inside, where the first bytes tell."""
    if kind is ZIP and any(head.startswith(entry, 30) for entry in _OFFICE_ENTRIES):
        return OFFICE
    if kind.archive is ArchiveForm.GZIP and identify(_gzip_start(head)) is NIFTI:
        return Kind("a compressed NIfTI volume", NIFTI.advice)
    return kind


def _gzip_start(head: bytes) -> bytes:
    try:
        return zlib.decompressobj(wbits=31).decompress(head, 512)
    except zlib.error:
        return b""


def is_tar(head: bytes) -> bool:
    """Whether the checksum of a tar header is right; tars older than POSIX have no other mark."""
    block = head[:512]
    digits = block[148:156].strip(b" \0")
    if len(block) < 512 or not digits.isdigit() or any(digit not in b"01234567" for digit in digits):
        return False
    return int(digits, 8) == sum(block[:148]) + 8 * ord(" ") + sum(block[156:])


def _is_bare_dicom(head: bytes) -> bool:
    """A data set without preamble, where the first element leaves no doubt (PS3.5, 7.1)."""
    if head[:2] not in (b"\x02\x00", b"\x08\x00") or len(head) < 16:
        return False
    if head[4:6] in _VALUE_REPRESENTATIONS:  # explicit VR
        return True
    length = int.from_bytes(head[4:8], "little")
    group_length = head[2:4] == b"\x00\x00" and length == 4
    character_set = head[2:4] == b"\x05\x00" and head[8:11] == b"ISO"
    image_type = head[2:4] == b"\x08\x00" and head[8:].startswith((b"ORIGINAL\\", b"DERIVED\\"))
    return group_length or character_set or image_type


def _text(head: bytes) -> Kind:
    start = head[:HEAD_BYTES].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    for magic, name in _MARKUP:
        if start.startswith(magic) or (start.startswith(b"<?xml") and magic in start):
            return Kind(name)
    if start.startswith(b"<?xml"):
        return Kind("an XML file")
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return TEXT
    if head and all(byte in b"\t\n\r\f" or 32 <= byte < 127 or byte >= 128 for byte in head):
        return TEXT
    return UNKNOWN
