"""The bytes of the images, each named by the sha256 of its content: the same file twice is stored once.

A spool receives an upload of unknown length; `put` turns it into a blob in one rename, after its bytes have reached
the disk. So a blob either exists whole or not at all, and nothing a user typed ever becomes a path.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import math
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Protocol

from core import marker
from core.errors import BlobMissing, StorageFull, StorageUnavailable

FOLDERS = 256
"""Subdirectories of the local store, by the first byte of the sha256."""

SHA256_HEX = re.compile(r"[0-9a-f]{64}")
NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT})


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
        left = [Path(e.path) for e in entries if _written_s(e) < time_s]
        for path in left:
            path.unlink(missing_ok=True)
    return len(left)


def checked(sha256: str) -> str:
    """`sha256`, which so can name a file or an object and nothing else. Raises ValueError if it is none."""
    if not SHA256_HEX.fullmatch(sha256):
        raise ValueError("not a sha256 in lower-case hex")
    return sha256


class BlobStore(Protocol):
    def make(self, store_id: str) -> None:
        """Make an empty store with a marker; one that is there already keeps its blobs and gets this marker."""
        ...

    def store_id(self) -> str | None:
        """The id in the marker; None where there is none. Opening a store makes nothing."""
        ...

    def holds_blobs(self) -> bool: ...
    def spool(self, max_bytes: int) -> Spool: ...
    def put(self, spool: Spool) -> str: ...
    def open(self, sha256: str) -> BinaryIO: ...
    def exists(self, sha256: str) -> bool: ...
    def delete(self, sha256: str) -> None: ...
    def stored_before(self, first_byte: int, time_s: float) -> list[str]: ...
    def drop_spools(self, time_s: float) -> int: ...

    def free_bytes(self) -> int | None:
        """What can still be stored; None where that has no meaning."""
        ...


class LocalBlobStore:
    """Blobs in a directory (a local disk or a shared folder), spread over 256 subdirectories.

    Only `make` makes directories: at the place of a folder that is not mounted, nothing shall be written.
    Every method raises StorageUnavailable if the file system refuses.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._spools = root / "incoming"

    def make(self, store_id: str) -> None:
        with storage_errors("create"):
            self._spools.mkdir(parents=True, exist_ok=True, mode=0o700)
            for first_byte in range(FOLDERS):
                (self.root / f"{first_byte:02x}").mkdir(exist_ok=True, mode=0o700)
            draft = self._spools / f"{marker.NAME}-{store_id}"
            with draft.open("wb") as file:
                file.write(marker.write(store_id))
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self.root / marker.NAME)
            _sync_directory(self.root)

    def store_id(self) -> str | None:
        with storage_errors("read"):
            try:
                with (self.root / marker.NAME).open("rb") as file:
                    return marker.read(file.read(marker.MAX_BYTES))
            except (FileNotFoundError, NotADirectoryError):
                return None

    def holds_blobs(self) -> bool:
        """Whether there is any blob."""
        with storage_errors("read"):
            folders = (self.root / f"{first_byte:02x}" for first_byte in range(FOLDERS))
            blobs = (path for folder in folders if folder.is_dir() for path in folder.iterdir())
            return any(SHA256_HEX.fullmatch(path.name) for path in blobs)

    def spool(self, max_bytes: int) -> Spool:
        """An empty spool on the same file system as the blobs."""
        with storage_errors("write to"):
            self._complete(self._spools)
        return new_spool(self._spools, max_bytes)

    def put(self, spool: Spool) -> str:
        """Keep the spool's bytes, durably; returns their sha256. The spool is used up."""
        sha256 = spool.sha256
        target = self._path(sha256)
        with storage_errors("write to"):
            self._complete(target.parent)
            try:
                os.utime(target)  # it is young again: `stored_before` leaves it out
            except FileNotFoundError:
                spool.sync()
                spool.path.replace(target)
            _sync_directory(target.parent)  # also of one that another upload may have renamed a moment ago
            spool.close()
        return sha256

    def open(self, sha256: str) -> BinaryIO:
        """Raises BlobMissing: there is no such blob."""
        with storage_errors("read"):
            try:
                return self._path(sha256).open("rb")
            except FileNotFoundError:
                raise missing() from None

    def exists(self, sha256: str) -> bool:
        with storage_errors("read"):
            return self._path(sha256).is_file()

    def delete(self, sha256: str) -> None:
        """Deleting what is not there is no error."""
        with storage_errors("delete from"):
            self._path(sha256).unlink(missing_ok=True)

    def stored_before(self, first_byte: int, time_s: float) -> list[str]:
        """The blobs whose sha256 begins with `first_byte` (0 to 255), stored before `time_s` (seconds of the epoch)."""
        folder = self.root / f"{first_byte:02x}"
        with storage_errors("read"):
            self._complete(folder)
        with storage_errors("read"), os.scandir(folder) as entries:
            return sorted(e.name for e in entries if SHA256_HEX.fullmatch(e.name) and _written_s(e) < time_s)

    def drop_spools(self, time_s: float) -> int:
        """Remove what uploads that were cut off left behind, not written to since `time_s`; how many."""
        with storage_errors("read"):
            self._complete(self._spools)
        return drop_spools(self._spools, time_s)

    def free_bytes(self) -> int | None:
        with storage_errors("read"):
            return shutil.disk_usage(self.root).free

    def _complete(self, folder: Path) -> None:
        """Make a folder that a copy of the store lacks: back-ups leave out empty ones. Never without the marker."""
        if not folder.is_dir() and self.store_id() is not None:
            folder.mkdir(mode=0o700, exist_ok=True)

    def _path(self, sha256: str) -> Path:
        return self.root / checked(sha256)[:2] / sha256


def missing() -> BlobMissing:
    return BlobMissing("The image's bytes are missing from the storage.")


@contextlib.contextmanager
def storage_errors(action: str) -> Iterator[None]:
    """Turn what the file system says into StorageUnavailable: `Could not {action} the image storage`."""
    try:
        yield
    except OSError as error:
        if error.errno in NO_SPACE:
            raise StorageFull("The disk of the image storage is full.") from error
        # strerror alone: the path would tell a log reader nothing that the operator does not know.
        raise StorageUnavailable(f"Could not {action} the image storage: {error.strerror}.") from error


def _written_s(entry: os.DirEntry[str]) -> float:
    """When the file was last written, seconds of the epoch; one that has gone meanwhile is as good as new."""
    try:
        return entry.stat().st_mtime
    except FileNotFoundError:
        return math.inf


def _sync_directory(path: Path) -> None:
    """Make a rename in `path` survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
