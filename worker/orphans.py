"""Removes what an upload that broke off left in the blob store: blobs without a row, and half-written spools.

One of the store's 256 folders every STEP_S, so that an archive of any size is gone through in about an hour, with one
folder's names in memory. Any number may run.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from itertools import islice

import structlog

from core.storage import FOLDERS, LocalBlobStore
from db import queries
from db.session import Database

AGE_S = 24 * 3600.0
"""An upload stores its bytes before its rows; nothing younger than this is touched, however slow the upload."""

STEP_S = 14.0
CHUNK = 500

log = structlog.get_logger()


class Orphans:
    def __init__(self, database: Database, store: LocalBlobStore) -> None:
        self._database = database
        self._store = store
        self._folder = 0
        self._next_at_s = time.monotonic() + STEP_S

    def step_if_due(self) -> int:
        """One folder, if the last one was STEP_S ago; how many files were removed.

        Raises:
            StorageUnavailable: the blob store refuses; the next round comes by again.
        """
        if time.monotonic() < self._next_at_s:
            return 0
        self._next_at_s = time.monotonic() + STEP_S
        removed = self.step(time.time() - AGE_S)
        if removed:
            log.info("orphans_removed", files=removed)
        return removed

    def step(self, before: float) -> int:
        """The next folder, and the spools; what was written last before `before`, seconds since the epoch."""
        folder, self._folder = self._folder, (self._folder + 1) % FOLDERS
        removed = self._store.discard_spools(before)
        for sha256s in _chunks(self._store.stored_before(folder, before)):
            with self._database.read() as session:
                wanted = queries.stored(session, sha256s)
            removed += sum(self._store.discard(sha256, before) for sha256 in sha256s if sha256 not in wanted)
        return removed


def _chunks(sha256s: Iterator[str]) -> Iterator[Sequence[str]]:
    while chunk := list(islice(sha256s, CHUNK)):
        yield chunk
