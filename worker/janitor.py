"""The sweeper's other half: what was deleted, what is past its time, and what a crash left in the blob store.

Each round does a little, so that the sweeper's first duty, taking back expired leases, never waits for long. Any number
may run. Imports no torch.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta

import structlog

from core.errors import StorageUnavailable
from core.settings import Settings
from db import audit
from db.accounts import searches, sessions, throttle
from db.retention import blobs, erasure
from db.session import Database, now
from db.stores import StoreCheck
from storage.base import BlobStore

ERASE_FOR_S = 0.2
ROUND_S = 3600.0
"""Within this time the janitor visits every blob once, one 256th of them at a time."""

REFUSED_S = 60.0
"""For so long a storage that refused is left alone."""

log = structlog.get_logger()


class Janitor:
    def __init__(
        self, settings: Settings, database: Database, store: BlobStore, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._settings = settings
        self._database = database
        self._store = store
        self._check = StoreCheck(database, store)
        self._clock = clock
        self._next_s = clock()
        self._refused_until_s = clock()
        self._first_byte = 0
        self._limits = sessions.limits(settings)

    def step(self) -> None:
        """Do a little of each duty. A storage that refuses, or that is not ours, is left alone for a minute."""
        if self._clock() < self._refused_until_s:
            return
        try:
            self._check.require()
            if self._clock() >= self._next_s:
                self._next_s = self._clock() + ROUND_S / erasure.PREFIXES
                self._clean()
            removed = erasure.erase(self._database, self._store, for_s=ERASE_FOR_S).blobs
            if removed:
                log.info("blobs_removed", blobs=removed)
        except StorageUnavailable as error:
            self._refused_until_s = self._clock() + REFUSED_S
            log.warning("storage_unavailable", reason=error.message)

    def _clean(self) -> None:
        if self._settings.retention.days:
            age = timedelta(days=self._settings.retention.days)
            for job_id in erasure.purge(self._database, audit.SWEEPER, older_than=age, limit=1):
                log.info("job_purged", job_id=job_id)
        if self._first_byte == 0:
            with self._database.begin() as session:
                throttle.forget(session, now(session))
                sessions.forget(session, self._limits, now(session))
                searches.forget(session, now(session))
                blobs.forget_removed(session, now(session))
            for job_id in erasure.purge_abandoned(self._database, audit.SWEEPER):
                log.info("upload_abandoned", job_id=job_id)
            self._store.drop_spools(erasure.orphaned_before())
        orphaned = erasure.mark_orphaned(self._database, self._store, self._first_byte)
        self._first_byte = (self._first_byte + 1) % erasure.PREFIXES
        if orphaned:
            log.info("blobs_orphaned", blobs=orphaned)
