"""A stream that `tarfile` reads forward alone, and no further than an archive of images can reach."""

from __future__ import annotations

import tarfile
from typing import BinaryIO

MAX_RATIO = 200
"""Radiographs hardly shrink; what unpacks to more than this many times its size is made to fill memory or time."""
MAX_READ_BYTES = 1024**2
"""Of one read: `tarfile` takes an extended header into memory whole, however long it says it is."""


class UnpacksToTooMuch(tarfile.TarError):
    """An entry would end behind all that an honest archive of this size has."""


class Forward:
    """What `tarfile` needs of a file, and what it read last."""

    def __init__(self, file: BinaryIO, limit_bytes: int) -> None:
        self._file = file
        self._limit_bytes = limit_bytes
        self._last = b""

    def read(self, size: int) -> bytes:
        """Raises ReadError: `size` is more than any header has."""
        if not 0 <= size <= MAX_READ_BYTES:
            raise tarfile.ReadError("a header is too long")
        self._last = self._file.read(size)
        return self._last

    def seek(self, place: int) -> int:
        return self._file.seek(place)

    def tell(self) -> int:
        return self._file.tell()

    def allow(self, end: int) -> None:
        """Raises UnpacksToTooMuch: nobody reads as far as `end`."""
        if end > self._limit_bytes:
            raise UnpacksToTooMuch

    def check_end(self) -> None:
        """`tarfile` ends without a word at a header that it can't read; the mark of a sound end is an empty block.

        Raises:
            ReadError: the block read last is none.
        """
        if len(self._last) != tarfile.BLOCKSIZE or any(self._last):
            raise tarfile.ReadError("no end mark")
