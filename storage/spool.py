"""The file that an upload is written to while it comes: hashed on the way, and never longer than allowed."""

from __future__ import annotations

import contextlib
import hashlib
import io
import math
import os
import tempfile
from pathlib import Path
from typing import BinaryIO

from core.errors import StorageFull
from storage.base import storage_errors


class Spool(io.RawIOBase):
    """A temporary `file` at `path` that hashes what is written to it and drops what is beyond `max_bytes`.

    Too long is a state (`too_large`), not an exception, so that one long file of a multipart request does not
    cut off the files behind it. So is a disk that has no space for it (`full`).
    """

    def __init__(self, file: BinaryIO, path: Path, max_bytes: int) -> None:
        self._file = file
        self.path = path
        self._digest = hashlib.sha256()
        self._max_bytes = max_bytes
        self.size_bytes = 0
        self.full = False

    @property
    def too_large(self) -> bool:
        return self.size_bytes > self._max_bytes

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    def write(self, data: bytes) -> int:  # type: ignore[override]  # werkzeug writes bytes and bytearrays
        self.size_bytes += len(data)
        if not self.too_large and not self.full:
            self._digest.update(data)
            try:
                with storage_errors("write to"):
                    self._file.write(data)
            except StorageFull:
                self.give_up()
        return len(data)

    def give_up(self) -> None:
        """Free at once what it holds, for the files behind it, and take no more."""
        self.full = True
        with contextlib.suppress(OSError):
            os.ftruncate(self._file.fileno(), 0)

    def read(self, size: int = -1) -> bytes:
        return self._file.read(size)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        if not self.full:
            try:
                with storage_errors("write to"):  # it writes out what is still in the buffer
                    return self._file.seek(offset, whence)
            except StorageFull:
                self.give_up()
        return 0

    def tell(self) -> int:
        return self._file.tell()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def sync(self) -> None:
        """Return once the bytes are on the disk."""
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close and remove the file; one that became a blob is no longer under this name."""
        if not self.closed:
            with contextlib.suppress(OSError):  # bytes that a full disk did not take; they are given up here
                self._file.close()
            self.path.unlink(missing_ok=True)
        super().close()


def new_spool(directory: Path, max_bytes: int) -> Spool:
    """An empty spool in `directory`. Raises StorageUnavailable if the file system refuses."""
    with storage_errors("write to"):
        descriptor, name = tempfile.mkstemp(dir=directory, prefix="upload-")
        return Spool(os.fdopen(descriptor, "w+b"), Path(name), max_bytes)


def drop_spools(directory: Path, time_s: float) -> int:
    """Remove the spools in `directory` not written to since `time_s` (seconds of the epoch); how many."""
    with storage_errors("delete from"), os.scandir(directory) as entries:
        left = [Path(e.path) for e in entries if written_s(e) < time_s]
        for path in left:
            path.unlink(missing_ok=True)
    return len(left)


def written_s(entry: os.DirEntry[str]) -> float:
    """When the file was last written, seconds of the epoch; one that has gone meanwhile is as good as new."""
    try:
        return entry.stat().st_mtime
    except FileNotFoundError:
        return math.inf
