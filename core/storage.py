"""The bytes of the images, each named by the sha256 of its content: the same file twice is stored once.

A spool receives an upload of unknown length; `put` turns it into a blob in one rename, after its bytes have reached
the disk. So a blob either exists whole or not at all, and nothing a user typed ever becomes a path.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Protocol

from core.errors import BlobMissing, StorageUnavailable

SHA256_HEX = re.compile(r"[0-9a-f]{64}")


class Spool(io.RawIOBase):
    """A temporary `file` at `path` that hashes what is written to it and drops what is beyond `max_bytes`.

    Too long is a state (`too_large`), not an exception, so that one long file of a multipart request does not
    cut off the files behind it.
    """

    def __init__(self, file: BinaryIO, path: Path, max_bytes: int) -> None:
        self._file = file
        self.path = path
        self._digest = hashlib.sha256()
        self._max_bytes = max_bytes
        self.size_bytes = 0

    @property
    def too_large(self) -> bool:
        return self.size_bytes > self._max_bytes

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    def write(self, data: bytes) -> int:  # type: ignore[override]  # werkzeug writes bytes and bytearrays
        self.size_bytes += len(data)
        if not self.too_large:
            self._digest.update(data)
            with storage_errors("write to"):
                self._file.write(data)
        return len(data)

    def read(self, size: int = -1) -> bytes:
        return self._file.read(size)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        with storage_errors("write to"):  # it writes out what is still in the buffer
            return self._file.seek(offset, whence)

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


def checked(sha256: str) -> str:
    """`sha256`, which so can name a file or an object and nothing else. Raises ValueError if it is none."""
    if not SHA256_HEX.fullmatch(sha256):
        raise ValueError("not a sha256 in lower-case hex")
    return sha256


class BlobStore(Protocol):
    def spool(self, max_bytes: int) -> Spool: ...
    def put(self, spool: Spool) -> str: ...
    def open(self, sha256: str) -> BinaryIO: ...
    def exists(self, sha256: str) -> bool: ...
    def delete(self, sha256: str) -> None: ...


class LocalBlobStore:
    """Blobs in a directory (a local disk or a shared folder), spread over 256 subdirectories.

    Every method raises StorageUnavailable if the file system refuses.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._spools = root / "incoming"
        with storage_errors("create"):
            self._spools.mkdir(parents=True, exist_ok=True, mode=0o700)
            for first_byte in range(256):
                (root / f"{first_byte:02x}").mkdir(exist_ok=True, mode=0o700)
            _sync_directory(root)

    def spool(self, max_bytes: int) -> Spool:
        """An empty spool on the same file system as the blobs."""
        return new_spool(self._spools, max_bytes)

    def put(self, spool: Spool) -> str:
        """Keep the spool's bytes, durably; returns their sha256. The spool is used up."""
        sha256 = spool.sha256
        target = self._path(sha256)
        with storage_errors("write to"):
            if not target.exists():
                spool.sync()
                spool.path.replace(target)
                _sync_directory(target.parent)
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

    def _path(self, sha256: str) -> Path:
        return self.root / checked(sha256)[:2] / sha256


def missing() -> BlobMissing:
    return BlobMissing("The image's bytes are missing from the storage.")


@contextlib.contextmanager
def storage_errors(action: str) -> Iterator[None]:
    """What the operating system refuses, as StorageUnavailable: it could not `action` the storage."""
    try:
        yield
    except OSError as error:
        # strerror alone: the path would tell a log reader nothing that the operator does not know.
        raise StorageUnavailable(f"Could not {action} the image storage: {error.strerror}.") from error


def _sync_directory(path: Path) -> None:
    """Make a rename in `path` survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
