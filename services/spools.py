"""The spools of one upload, and how many spools all uploads of a process may keep open together."""

from __future__ import annotations

import threading

from core.errors import StorageFull, TooManyUploads
from services.admission import Admission
from services.storage import StorageGuard
from storage.base import BlobStore
from storage.spool import Spool

MAX_OPEN = 8000
"""Of one process: half of the files that the web process may open (`web.server.serve.OPEN_FILES`)."""


class _Open:
    """Counts the open spools of all uploads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0

    def add(self, count: int) -> None:
        with self._lock:
            if count > 0 and self._count + count > MAX_OPEN:
                raise TooManyUploads("Too many files are being sent at this moment.")
            self._count += count


_open = _Open()


class Spools:
    """Those of one upload; `close` removes what did not become a blob."""

    def __init__(self, store: BlobStore, guard: StorageGuard, admission: Admission, *, max_file_bytes: int) -> None:
        self._store = store
        self._guard = guard
        self._admission = admission
        self._max_file_bytes = max_file_bytes
        self._spools: list[Spool] = []

    def new(self) -> Spool:
        """An empty spool. If the disk has no space left it takes no bytes; the spools before it are not affected.

        Each call checks again that the storage is the right one: another may have been mounted in its place since.

        Raises:
            TooManyUploads: all uploads together hold too many files.
            StorageUnavailable: the storage refuses, or is missing or foreign.
        """
        self._guard.require_now()
        _open.add(1)
        try:
            spool = self._store.spool(self._max_file_bytes)
        except BaseException:
            _open.add(-1)
            raise
        self._spools.append(spool)
        try:
            if len(self._spools) > 1:  # for the first one, the admission of the upload has checked it
                self._admission.check_space()
        except StorageFull:
            spool.give_up()
        return spool

    def close(self) -> None:
        for spool in self._spools:
            spool.close()
        _open.add(-len(self._spools))
        self._spools = []
