"""Blobs in a directory: a local disk, or a folder that several hosts share."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import BinaryIO

from core.atomic import sync_directory, write_bytes
from storage import marker
from storage.base import SHA256_HEX, checked, missing, storage_errors
from storage.spool import Spool, drop_spools, new_spool, written_s

FOLDERS = 256
"""Subdirectories of the local store, by the first byte of the sha256."""


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
            write_bytes(self.root / marker.NAME, marker.write(store_id))

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
        """Store the spool's bytes durably; returns their sha256. The spool is used up.

        What is there already is replaced: it may be damaged, and is young again for `stored_before`.
        """
        sha256 = spool.sha256
        target = self._path(sha256)
        with storage_errors("write to"):
            self._complete(target.parent)
            spool.sync()
            spool.path.replace(target)
            sync_directory(target.parent)
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
            return sorted(e.name for e in entries if SHA256_HEX.fullmatch(e.name) and written_s(e) < time_s)

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
