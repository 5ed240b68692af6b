"""What every blob store offers, how blobs are named, and how a file system's refusal is told.

A blob is named by the sha256 of its content: the same file twice is stored once. A spool receives an upload of unknown
length; `put` turns it into a blob after its bytes have reached the disk. So a blob either exists whole or not at all,
and nothing a user typed ever becomes a path.
"""

from __future__ import annotations

import contextlib
import errno
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO, Protocol

from core.errors import BlobMissing, StorageFull, StorageUnavailable

if TYPE_CHECKING:
    from storage.spool import Spool

SHA256_HEX = re.compile(r"[0-9a-f]{64}")
NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT})


class BlobStore(Protocol):
    """Every method raises StorageUnavailable if the store refuses or does not answer."""

    def make(self, store_id: str) -> None:
        """Make an empty store with a marker; one that is there already keeps its blobs and gets this marker."""
        ...

    def store_id(self) -> str | None:
        """The id in the marker; None where there is none. Opening a store makes nothing."""
        ...

    def holds_blobs(self) -> bool:
        """Whether there is any blob."""
        ...

    def spool(self, max_bytes: int) -> Spool:
        """An empty spool, which takes `max_bytes` at most."""
        ...

    def put(self, spool: Spool) -> str:
        """Store the bytes of the spool durably, in place of what is there; returns their sha256. Uses the spool up."""
        ...

    def open(self, sha256: str) -> BinaryIO:
        """The bytes of a blob, at their start. Raises BlobMissing: there is no such blob."""
        ...

    def exists(self, sha256: str) -> bool:
        """Whether there is a blob of this sha256."""
        ...

    def delete(self, sha256: str) -> None:
        """Delete a blob; deleting what is not there is no error."""
        ...

    def stored_before(self, first_byte: int, time_s: float) -> list[str]:
        """The blobs whose sha256 begins with `first_byte` (0 to 255), stored before `time_s` (seconds of the epoch)."""
        ...

    def drop_spools(self, time_s: float) -> int:
        """Remove the spools of uploads that were cut off, not written to since `time_s`; returns how many."""
        ...

    def free_bytes(self) -> int | None:
        """What can still be stored; None where that has no meaning."""
        ...


def checked(sha256: str) -> str:
    """`sha256`, which so can name a file or an object and nothing else. Raises ValueError if it is none."""
    if not SHA256_HEX.fullmatch(sha256):
        raise ValueError("not a sha256 in lower-case hex")
    return sha256


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
