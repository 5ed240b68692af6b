"""A file on its way to the service, sent as it was when it was hashed, or not at all."""

from __future__ import annotations

import hashlib
import os
from typing import BinaryIO

CHANGED = "The file changed while it was being sent: send it again once nothing writes to it any more."


class Unsendable(Exception):
    """Ends a request whose `file` is not what it was, before the service has all of it and can take it."""

    def __init__(self, file: UnchangedFile, message: str) -> None:
        super().__init__(message)
        self.file = file
        self.message = message


class UnchangedFile:
    """What httpx reads of `file`: exactly `size_bytes` with the hash `sha256`, as often as it begins again."""

    def __init__(self, file: BinaryIO, size_bytes: int, sha256: str) -> None:
        self._file = file
        self._size_bytes = size_bytes
        self._sha256 = sha256
        self._place = 0
        self._digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        """Raises Unsendable: the file is shorter or longer than it was, has other bytes, or cannot be read."""
        left = self._size_bytes - self._place
        if not left:
            return b""
        block = self._read(left if size < 0 else min(size, left))
        self._digest.update(block)
        self._place += len(block)
        if not block or (self._place == self._size_bytes and not self._is_whole()):
            raise Unsendable(self, CHANGED)
        return block

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """To the start, before it is sent (again), or to the end, which tells the length."""
        place = offset + (self._size_bytes if whence == os.SEEK_END else 0)
        if place == 0:
            self._file.seek(0)
            self._digest = hashlib.sha256()
        elif place != self._size_bytes:
            raise ValueError("a hashed file is sent from its start")
        self._place = place
        return place

    def tell(self) -> int:
        return self._place

    def _is_whole(self) -> bool:
        return self._digest.hexdigest() == self._sha256 and not self._read(1)

    def _read(self, size: int) -> bytes:
        try:
            return self._file.read(size)
        except OSError as error:
            raise Unsendable(self, f"The file cannot be read: {error.strerror}.") from error
