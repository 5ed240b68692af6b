"""A tar archive, compressed or not, read from front to back: nothing of it is unpacked to a path.

It is read twice: for its names when it is opened, and for the bytes while its members are listed. A member of a
compressed archive can't be found again later, so each one keeps its bytes until it is dropped.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import tarfile
import weakref
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from core.errors import CorruptImage, Permanent, TooLarge
from imaging import skipping
from imaging.archives.forward import MAX_RATIO, Forward, UnpacksToTooMuch
from imaging.archives.members import CHUNK_BYTES, MAX_MEMBERS, SPOOL_BYTES, UNREADABLE, is_beside, join, split, spool
from imaging.archives.names import decode_raw
from imaging.signatures import ArchiveForm

LINKS = "links inside an archive"
SPECIAL = "pipes, sockets and devices"
DAMAGED = "The tar archive is damaged or cut short; what comes behind is not read."
TOO_MUCH = (
    f"The tar archive unpacks to more than {MAX_RATIO} times its size, which images never do; the rest is not read."
)
FORMS: dict[ArchiveForm, Callable[[BinaryIO], BinaryIO]] = {
    ArchiveForm.TAR: lambda file: file,
    ArchiveForm.GZIP: lambda file: cast(BinaryIO, gzip.GzipFile(fileobj=file)),
    ArchiveForm.BZIP2: lambda file: cast(BinaryIO, bz2.BZ2File(file)),
    ArchiveForm.XZ: lambda file: cast(BinaryIO, lzma.LZMAFile(file)),  # noqa: SIM115  # the caller's
}
"""How the tar in each is read."""


@dataclass(frozen=True, slots=True)
class Listed:
    """What the first reading tells of a file: its name's bytes, and why it is passed over, if it is."""

    name: bytes
    why: str | None


class TarArchive:
    """A tar file. Its members come in order, from one thread; what they hold may be read from any."""

    def __init__(self, path: Path, form: ArchiveForm, *, max_bytes: int, max_members: int = MAX_MEMBERS) -> None:
        """
        Raises:
            TooLarge: it lists more than `max_members`.
        """
        self.max_bytes = max_bytes
        self.skipped: Counter[str] = Counter()
        self._path, self._form = path, form
        self._fault = ""
        """Why what comes behind the last file listed cannot be read."""
        self._listed = self._list(max_members)
        self._names = decode_raw([entry.name for entry in self._listed])

    def close(self) -> None:
        """Nothing stays open between two listings."""

    def members(self, prefix: str, *, counting: bool = False) -> Iterator[TarMember]:
        """As `Archive.members`."""
        self.skipped.clear()
        contents = None if counting else self._contents()
        try:
            for name, entry in zip(self._names, self._listed, strict=True):
                content = b"" if contents is None else next(contents)
                if entry.why is None:
                    yield TarMember(join(prefix, split(name, backslash=False)), content)
                else:
                    self.skipped[entry.why] += 1
        except (StopIteration, *UNREADABLE) as error:  # it has changed since it was listed
            raise CorruptImage(DAMAGED) from error
        if self._fault:
            raise CorruptImage(self._fault)

    def _list(self, max_members: int) -> list[Listed]:
        listed: list[Listed] = []
        try:
            for tar, info in self._entries():
                name = info.name.encode("utf-8", "surrogateescape")
                listed.append(Listed(name, _why_skipped(tar, info)))
                if len(listed) > max_members:
                    raise TooLarge(f"The tar archive lists more than {max_members:,} files: split it.")
        except UnpacksToTooMuch:
            self._fault = TOO_MUCH
        except UNREADABLE:
            self._fault = DAMAGED
        return listed

    def _contents(self) -> Iterator[bytes | LargeMember | Permanent]:
        """For each file its bytes, or why it has none that can be taken."""
        for (tar, info), entry in zip(self._entries(), self._listed, strict=False):
            yield b"" if entry.why is not None else self._content(tar, info)

    def _content(self, tar: tarfile.TarFile, info: tarfile.TarInfo) -> bytes | LargeMember | Permanent:
        if info.size > self.max_bytes:
            return TooLarge(f"The file unpacks to more than {self.max_bytes / 1e6:g} MB, the limit.")
        try:
            file = spool(_chunks(tar, info), self.max_bytes)
        except Permanent as error:
            return error
        if info.size > SPOOL_BYTES:
            return LargeMember(file)
        with file:
            return file.read()

    def _entries(self) -> Iterator[tuple[tarfile.TarFile, tarfile.TarInfo]]:
        """All but folders, each before its bytes are passed. Raises UNREADABLE, and UnpacksToTooMuch."""
        with self._path.open("rb") as packed, FORMS[self._form](packed) as plain:
            stream = Forward(plain, MAX_RATIO * os.fstat(packed.fileno()).st_size + self.max_bytes)
            with tarfile.open(fileobj=cast(BinaryIO, stream), mode="r:", encoding="utf-8") as tar:
                while (info := tar.next()) is not None:
                    tar.members.clear()  # type: ignore[attr-defined]  # else it keeps a record of every file
                    stream.allow(info.offset_data + info.size)
                    if not info.isdir():
                        yield tar, info
                stream.check_end()


@dataclass(frozen=True, slots=True)
class TarMember:
    """One file inside a tar archive. Not opened twice at the same time: a large one has one position for all."""

    name: str
    content: bytes | LargeMember | Permanent

    def open(self) -> BinaryIO:
        """Raises Permanent: it is larger than the limit, or an archive itself."""
        if isinstance(self.content, Permanent):
            raise self.content
        if isinstance(self.content, bytes):
            return io.BytesIO(self.content)
        return self.content.open()


class LargeMember:
    """What a member holds that is too large for memory, in a temporary file. All who open it share one position."""

    def __init__(self, file: BinaryIO) -> None:
        self._descriptor = os.dup(file.fileno())
        file.close()
        weakref.finalize(self, os.close, self._descriptor)

    def open(self) -> BinaryIO:
        file = os.fdopen(os.dup(self._descriptor), "rb")
        file.seek(0)
        return file


def _why_skipped(tar: tarfile.TarFile, info: tarfile.TarInfo) -> str | None:
    if info.issym() or info.islnk():
        return LINKS
    if not info.isreg():
        return SPECIAL
    why = skipping.reason(split(info.name, backslash=False))
    beside = why != skipping.COMPANIONS or is_beside(next(_chunks(tar, info), b""))
    return why if beside else None


def _chunks(tar: tarfile.TarFile, info: tarfile.TarInfo) -> Iterator[bytes]:
    file = tar.extractfile(info)
    if file is None:
        raise tarfile.ReadError("not a file")
    with file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk
