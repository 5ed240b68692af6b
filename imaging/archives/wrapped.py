"""Zip archives over 4 GB as macOS writes them: without zip64, every size and place modulo 2^32."""

from __future__ import annotations

import struct
import zipfile

_WRAP_BYTES = 2**32
_LOCAL_HEADER = struct.Struct("<4s22xHH")


def mend(archive: zipfile.ZipFile) -> None:
    """Set the places of the entries right, where `archive` is such a one.

    `zipfile` takes the bytes that seem to be too many before the directory for a program in front of the archive, and
    moves all entries behind it. Where these are whole 4 GB, each entry is looked for at the first place behind the
    entry before that has its header.

    Raises:
        BadZipFile: an entry is nowhere.
    """
    listed = archive.filelist
    if not listed or archive.start_dir < _WRAP_BYTES or not _is_wrapped(archive):
        return
    start = 0
    for info in listed:
        info.header_offset = start = _place(archive, info, start)
        if hasattr(info, "_end_offset"):
            info._end_offset = None  # what `zipfile` made of the wrong places; it would take members for overlapping
        start += info.compress_size


def _is_wrapped(archive: zipfile.ZipFile) -> bool:
    """Whether the first entry is not where `zipfile` looks for it, but whole 4 GB before, at the start."""
    first = archive.filelist[0].header_offset
    return first % _WRAP_BYTES == 0 and first > 0 and _is_header(archive, archive.filelist[0], 0)


def _place(archive: zipfile.ZipFile, info: zipfile.ZipInfo, start: int) -> int:
    place = start + (info.header_offset - start) % _WRAP_BYTES
    while place < archive.start_dir:
        if _is_header(archive, info, place):
            return place
        place += _WRAP_BYTES
    raise zipfile.BadZipFile("An entry is nowhere in the archive.")


def _is_header(archive: zipfile.ZipFile, info: zipfile.ZipInfo, place: int) -> bool:
    file = archive.fp
    if file is None:
        return False
    file.seek(place)
    head = file.read(_LOCAL_HEADER.size)
    if len(head) < _LOCAL_HEADER.size:
        return False
    magic, name_bytes, _ = _LOCAL_HEADER.unpack(head)
    encoding = "utf-8" if info.flag_bits & 0x800 else "cp437"
    return magic == b"PK\x03\x04" and file.read(name_bytes) == info.orig_filename.encode(encoding)
