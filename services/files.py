"""One file of an upload: its spool becomes a blob, or the file is rejected with a reason."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import IO, cast

from core.errors import Permanent, StorageFull, TooLarge
from core.settings import Settings
from db.jobs import NewImage
from imaging.media import sniff
from services import filenames
from services.storage import StorageGuard
from storage.base import BlobStore
from storage.spool import Spool

NO_SPACE = "The disk of the image storage has no space for this file."


@dataclass(frozen=True, slots=True)
class IncomingFile:
    """A file that has arrived: named as it was sent, its bytes in a spool that stands at its beginning."""

    filename: str
    spool: Spool


@dataclass(frozen=True, slots=True)
class Rejected:
    """A file that was not taken in; its bytes are not kept."""

    filename: str
    code: str
    message: str
    sha256: str = ""


class FileStore:
    """Stores files before they have a row. The sweeper removes a file that never gets one."""

    def __init__(self, settings: Settings, store: BlobStore, guard: StorageGuard) -> None:
        self._settings = settings
        self._store = store
        self._guard = guard

    def store(self, files: Iterable[IncomingFile]) -> list[NewImage | Rejected]:
        """Each file stored or rejected, in order. One bad file costs no other.

        Raises:
            StorageFull: there was no space for any of them.
            StorageUnavailable: the storage refuses, or it went away while the files arrived.
        """
        stored = [self._store_one(file) for file in files]
        if any(isinstance(item, NewImage) for item in stored):
            self._guard.require_now()
        if stored and all(isinstance(item, Rejected) and item.code == StorageFull.code for item in stored):
            raise StorageFull(NO_SPACE)
        return stored

    def _store_one(self, file: IncomingFile) -> NewImage | Rejected:
        filename, spool = filenames.stored(file.filename), file.spool
        try:
            self._check_size(spool)
            info = sniff(cast(IO[bytes], spool), max_pixels=self._settings.limits.max_pixels)  # type: ignore[arg-type]
            size_bytes = spool.size_bytes
            sha256 = self._store.put(spool)
            return NewImage(filename, sha256, info.media_type, size_bytes, info.width_px, info.height_px)
        except (Permanent, StorageFull) as error:
            whole = not (spool.too_large or spool.full)
            return Rejected(filename, error.code, error.message, spool.sha256 if whole else "")

    def _check_size(self, spool: Spool) -> None:
        if spool.too_large:
            limit_mb = self._settings.limits.max_upload_bytes / 1e6
            raise TooLarge(f"The file has {spool.size_bytes / 1e6:.1f} MB; the limit is {limit_mb:.1f} MB.")
        if spool.full:
            raise StorageFull(NO_SPACE)
