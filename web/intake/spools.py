"""The spools of one upload, and how many all uploads of a process may hold open together."""

from __future__ import annotations

import threading

from werkzeug.exceptions import ServiceUnavailable

from core.errors import StorageFull
from storage.spool import Spool
from web.admission import Admission
from web.services import Services
from web.storage import Storage

MAX_OPEN = 8000
"""Of a process: half of the files that it may open (`cli.web`)."""
RETRY_AFTER_S = 5


class _Open:
    """How many are open, of all requests."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0

    def add(self, count: int) -> None:
        with self._lock:
            if count > 0 and self._count + count > MAX_OPEN:
                raise ServiceUnavailable("Too many files are being sent at this moment.", retry_after=RETRY_AFTER_S)
            self._count += count


_open = _Open()


class Spools:
    """Those of one upload; `close` removes what did not become a blob."""

    def __init__(self, services: Services, admission: Admission, storage: Storage) -> None:
        self._store = services.store
        self._max_bytes = services.settings.limits.max_upload_bytes
        self._admission = admission
        self._storage = storage
        self._spools: list[Spool] = []

    def new(self) -> Spool:
        """An empty one; without space on the disk it takes nothing, and the files before it are left alone.

        The storage is recognised anew for each: one that was mounted over a moment ago must get no file of ours.

        Raises:
            ServiceUnavailable: all uploads together hold too many files.
            StorageUnavailable: the storage refuses, or is missing or foreign.
        """
        self._storage.require_now()
        _open.add(1)
        try:
            spool = self._store.spool(self._max_bytes)
        except BaseException:
            _open.add(-1)
            raise
        self._spools.append(spool)
        try:
            if len(self._spools) > 1:  # before the first one the admission of the request has looked
                self._admission.check_space()
        except StorageFull:
            spool.give_up()
        return spool

    def close(self) -> None:
        for spool in self._spools:
            spool.close()
        _open.add(-len(self._spools))
        self._spools = []
