"""What the readers of archives share: their limits, and a member on its way to a spool."""

from __future__ import annotations

import lzma
import tarfile
import tempfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import BinaryIO, Protocol, cast

from core.errors import Permanent, TooLarge, UnsupportedType
from imaging.identify import HEAD_BYTES, identify
from imaging.media import IMAGE_MAGIC

MAX_MEMBERS = 200_000
MAX_NAME_CHARS = 512
"""Of a member's name the end is kept; the service does the same."""
UNNAMED = "unnamed"
SPOOL_BYTES = 1024**2
"""Members up to this size stay in memory while they are read; larger ones go to an unnamed temporary file."""
CHUNK_BYTES = 256 * 1024
UNREADABLE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    ValueError,
    RuntimeError,  # includes NotImplementedError: a compression that Python does not have
)


class Member(Protocol):
    """One file inside an archive. `name` is for people: shown and recorded, never used to open anything."""

    @property
    def name(self) -> str: ...

    def open(self) -> BinaryIO:
        """Its bytes, seekable. Raises Permanent: it cannot be read, or is larger than the limit."""
        ...


class Archive(Protocol):
    """An open archive. `skipped` counts what its latest listing passed over, by reason."""

    skipped: Counter[str]

    def members(self, prefix: str, *, counting: bool = False) -> Iterator[Member]:
        """Its files in the archive's order, names led by `prefix`; those that are only counted cannot be opened.

        Raises:
            CorruptImage: the rest of the archive cannot be read.
        """
        ...

    def close(self) -> None: ...


def split(name: str, *, backslash: bool) -> list[str]:
    """The parts of a member's path, without those that lead anywhere; a name of nothing else is none."""
    if backslash:
        name = name.replace("\\", "/")
    return [part for part in name.split("/") if part not in ("", ".", "..")] or [UNNAMED]


def join(prefix: str, parts: list[str]) -> str:
    """A member's name as it is shown and sent."""
    name = "/".join([prefix, *parts] if prefix else parts)
    return name[-MAX_NAME_CHARS:].encode("utf-8", "replace").decode()


def spool(chunks: Iterable[bytes], max_bytes: int) -> BinaryIO:
    """`chunks` in a file of their own, at its start.

    Raises:
        TooLarge: they are more than `max_bytes`, whatever the archive claims.
        UnsupportedType: they are an archive themselves.
    """
    file = cast(BinaryIO, tempfile.SpooledTemporaryFile(max_size=SPOOL_BYTES))  # noqa: SIM115  # the caller's
    try:
        for place, chunk in enumerate(chunks):
            if place == 0:
                refuse_archive(chunk)
            file.write(chunk)
            if file.tell() > max_bytes:
                raise TooLarge(f"The file unpacks to more than {max_bytes / 1e6:g} MB, the limit.")
        file.seek(0)
    except (Permanent, *UNREADABLE):
        file.close()
        raise
    return file


def refuse_archive(head: bytes) -> None:
    """Raises UnsupportedType: `head` begins an archive."""
    kind = identify(head[:HEAD_BYTES])
    if kind.archive is not None and not head.startswith(IMAGE_MAGIC):
        raise UnsupportedType(f"An archive inside an archive is not opened (this is {kind.name}): unpack it first.")


def is_beside(head: bytes) -> bool:
    """Whether a file with the name of a companion is one: it is not when it holds an image."""
    return not head.startswith(IMAGE_MAGIC)
