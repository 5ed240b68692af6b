"""A zip archive whose contents nobody vouches for: names are only shown, sizes are counted, not believed."""

from __future__ import annotations

import lzma
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, cast

from core.errors import CorruptImage, Permanent, TooLarge, UnsupportedType

MAX_MEMBERS = 200_000
MAX_NAME_CHARS = 512
"""Of a member's name the end is kept; the service does the same."""
SPOOL_BYTES = 1024**2
"""Members up to this size stay in memory while they are read; larger ones go to an unnamed temporary file."""
_CHUNK_BYTES = 256 * 1024
_ENCRYPTED = 0x1
_ARCHIVE_MAGIC = (b"PK\x03\x04", b"PK\x05\x06", b"\x1f\x8b", b"7z\xbc\xaf", b"Rar!", b"BZh", b"\xfd7zXZ")
_UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    ValueError,
    RuntimeError,  # includes NotImplementedError: a compression that Python does not have
)


def is_zip(path: Path) -> bool:
    """By its first bytes: a name proves nothing, and a trailing directory may hide behind any image."""
    try:
        with path.open("rb") as file:
            return file.read(4) in (b"PK\x03\x04", b"PK\x05\x06")
    except OSError:
        return False


class Archive:
    """An open zip file. Its members may be read from several threads."""

    def __init__(self, path: Path, *, max_bytes: int, max_members: int = MAX_MEMBERS) -> None:
        """
        Raises:
            CorruptImage: its directory cannot be read.
            TooLarge: it lists more than `max_members`.
        """
        self.max_bytes = max_bytes
        self.hidden = 0
        try:
            self.zip = zipfile.ZipFile(path)
        except _UNREADABLE as error:
            raise CorruptImage("The zip archive is damaged or cut short.") from error
        if len(self.zip.filelist) > max_members:
            self.zip.close()
            raise TooLarge(f"The zip archive lists more than {max_members:,} files: split it.")

    def __enter__(self) -> Archive:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.zip.close()

    def members(self, prefix: str) -> Iterator[MemberSource]:
        """Its files in the archive's order. Hidden ones (`.DS_Store`, `__MACOSX/`) are counted in `hidden`."""
        self.hidden = 0
        for info in self.zip.filelist:
            parts = [part for part in info.filename.replace("\\", "/").split("/") if part not in ("", ".", "..")]
            if info.is_dir() or not parts:
                continue
            if parts[0] == "__MACOSX" or any(part.startswith(".") for part in parts):
                self.hidden += 1
                continue
            name = "/".join([prefix, *parts] if prefix else parts)
            yield MemberSource(name[-MAX_NAME_CHARS:].encode("utf-8", "replace").decode(), self, info)


@dataclass(frozen=True, slots=True)
class MemberSource:
    """One file inside an archive."""

    name: str
    archive: Archive
    info: zipfile.ZipInfo

    def open(self) -> BinaryIO:
        """Unpack it into a spool.

        Raises:
            TooLarge: it unpacks to more than the limit, whatever its entry claims.
            UnsupportedType: it is encrypted, or an archive itself.
            CorruptImage: it is damaged or compressed in a way that Python does not know.
        """
        if self.info.flag_bits & _ENCRYPTED:
            raise UnsupportedType("The file is encrypted inside the zip archive: unpack it first.")
        spool = cast(BinaryIO, tempfile.SpooledTemporaryFile(max_size=SPOOL_BYTES))  # noqa: SIM115  # the caller's
        try:
            self._unpack(spool)
        except Permanent:
            spool.close()
            raise
        except _UNREADABLE as error:
            spool.close()
            raise CorruptImage("The file inside the zip archive is damaged or compressed in an unknown way.") from error
        return spool

    def _unpack(self, spool: BinaryIO) -> None:
        max_bytes = self.archive.max_bytes
        with self.archive.zip.open(self.info) as member:
            chunk = member.read(_CHUNK_BYTES)
            if chunk.startswith(_ARCHIVE_MAGIC):
                raise UnsupportedType("An archive inside an archive is not opened: unpack it first.")
            while chunk:
                spool.write(chunk)
                if spool.tell() > max_bytes:
                    raise TooLarge(f"The file unpacks to more than {max_bytes / 1e6:g} MB, the limit.")
                chunk = member.read(_CHUNK_BYTES)
        spool.seek(0)
