"""A zip archive whose contents nobody vouches for: names are only shown, sizes are counted, not believed."""

from __future__ import annotations

import copy
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from core.errors import CorruptImage, TooLarge, UnsupportedType
from imaging import skipping
from imaging.archives import names, wrapped
from imaging.archives.members import CHUNK_BYTES, MAX_MEMBERS, UNREADABLE, is_beside, join, split, spool

_ENCRYPTED = 0x1
_DEFLATE64 = 9
_READ_BY_PYTHON = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
_METHODS = {1: "Shrink", 6: "Implode", 93: "Zstandard", 95: "XZ", 96: "JPEG", 97: "WavPack", 98: "PPMd", 99: "AES"}
"""How archivers call the others (APPNOTE 4.4.5)."""
_WINDOWS_SYSTEMS = (0, 10, 14)
"""FAT, NTFS and VFAT in an entry's "made by", where `\\` is no part of a name (APPNOTE 4.4.2)."""


class ZipArchive:
    """An open zip file. Its members may be read from several threads."""

    def __init__(self, path: Path, *, max_bytes: int, max_members: int = MAX_MEMBERS) -> None:
        """
        Raises:
            CorruptImage: its directory cannot be read.
            TooLarge: it lists more than `max_members`.
        """
        self.max_bytes = max_bytes
        self.skipped: Counter[str] = Counter()
        try:
            self.zip = zipfile.ZipFile(path)
            wrapped.mend(self.zip)
        except UnicodeDecodeError as error:
            raise CorruptImage("The zip archive has a name that is not UTF-8 though it says so: unpack it.") from error
        except UNREADABLE as error:
            raise CorruptImage("The zip archive is damaged or cut short.") from error
        if len(self.zip.filelist) > max_members:
            self.zip.close()
            raise TooLarge(f"The zip archive lists more than {max_members:,} files: split it.")
        self._parts = self._paths()

    def close(self) -> None:
        self.zip.close()

    def members(self, prefix: str, *, counting: bool = False) -> Iterator[ZipMember]:
        """As `Archive.members`; those that are only counted can be opened too."""
        self.skipped.clear()
        for info, parts in zip(self.zip.filelist, self._parts, strict=True):
            if not parts:
                continue
            why = skipping.reason(parts)
            member = ZipMember(join(prefix, parts), self, info)
            if why is None or (why == skipping.COMPANIONS and not member.is_beside()):
                yield member
            else:
                self.skipped[why] += 1

    def _paths(self) -> list[list[str]]:
        """For each entry the parts of its name; none for a folder."""
        decoded = names.decode_all(self.zip.filelist)
        slashes = any("/" in name for name in decoded)
        paths = []
        for info, name in zip(self.zip.filelist, decoded, strict=True):
            backslash = info.create_system in _WINDOWS_SYSTEMS or not slashes
            is_folder = name.endswith(("/", "\\") if backslash else "/") and not info.file_size
            paths.append([] if is_folder else split(name, backslash=backslash))
        return paths


@dataclass(frozen=True, slots=True)
class ZipMember:
    """One file inside a zip archive."""

    name: str
    archive: ZipArchive
    info: zipfile.ZipInfo

    def open(self) -> BinaryIO:
        """Unpack it into a spool.

        Raises:
            TooLarge: it unpacks to more than the limit, whatever its entry claims.
            UnsupportedType: it is encrypted, compressed in a way that is not read, or an archive itself.
            CorruptImage: it is damaged.
        """
        self._check_readable()
        try:
            return spool(self._chunks(), self.archive.max_bytes)
        except UNREADABLE as error:
            raise CorruptImage("The file inside the zip archive is damaged.") from error

    def is_beside(self) -> bool:
        """Whether it holds no image; what cannot be read is taken for what its name says."""
        try:
            self._check_readable()
            return is_beside(next(self._chunks(), b""))
        except (UnsupportedType, *UNREADABLE):
            return True

    def _check_readable(self) -> None:
        if self.info.flag_bits & _ENCRYPTED:
            raise UnsupportedType("The file is encrypted inside the zip archive: unpack it first.")
        method = self.info.compress_type
        if method not in (*_READ_BY_PYTHON, _DEFLATE64):
            name = _METHODS.get(method, "an unknown way")
            raise UnsupportedType(
                f"The file is compressed with {name} (method {method}), which is not read: unpack the archive first."
            )

    def _chunks(self) -> Iterator[bytes]:
        if self.info.compress_type == _DEFLATE64:
            yield from self._inflated64()
            return
        with self.archive.zip.open(self.info) as member:
            while chunk := member.read(CHUNK_BYTES):
                yield chunk

    def _inflated64(self) -> Iterator[bytes]:
        """Deflate64 is what Explorer packs large files with; Python's zlib does not have it."""
        from stream_inflate import stream_inflate64

        packed = copy.copy(self.info)  # the entry as if it were stored, for its packed bytes
        packed.compress_type, packed.file_size = zipfile.ZIP_STORED, packed.compress_size
        del packed.CRC  # of the unpacked bytes
        checksum = 0
        with self.archive.zip.open(packed) as member:
            inflate, *_ = stream_inflate64()
            for chunk in inflate(iter(lambda: member.read(CHUNK_BYTES), b"")):
                checksum = zlib.crc32(chunk, checksum)
                yield chunk
        if checksum != self.info.CRC:
            raise zipfile.BadZipFile("Bad CRC-32")
