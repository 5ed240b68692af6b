"""Whether there is room for more: a queue of bounded length, and a disk that keeps some space free.

It is asked before the bytes of an upload are read. Its answer may be a second old, so the queue can grow beyond its
limit by what arrives within a second at each process that takes images, and by the rest of a request that has begun.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from core.errors import QueueFull, StorageFull
from core.settings import Settings
from db import backlog
from db.session import Database, now
from db.states import Priority
from storage.base import BlobStore

FRESH_S = 1.0
RATE_OVER_S = 60
CHUNK = 64
"""How many places must be free before a client should try again: about as many as one request of it needs."""
INTERACTIVE_EACH = 50
"""Interactive images of one user that may wait in the reserve: many for a clinician, too few for an archive."""
LONGEST_WAIT_S = 300
UNKNOWN_WAIT_S = 60
"""How long a client should wait while nothing is screened, so that nobody can say when there will be room."""


@dataclass(frozen=True, slots=True)
class _Queue:
    """The queue's length at `read_s` of this process's clock, and how fast it was worked off."""

    length: int
    done_per_s: float
    read_s: float


class Admission:
    """Answers for all uploads of a process; shared by its threads."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        store: BlobStore,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._database = database
        self._store = store
        self._clock = clock
        self._lock = threading.Lock()
        self._queue: _Queue | None = None

    def admit(self, user_id: int, priority: Priority, *, size_bytes: int = 0) -> None:
        """Return if there is room for an upload of `size_bytes`.

        Raises:
            QueueFull: too many images wait already.
            StorageFull: the disk would have less than `min_free_disk_bytes` left.
        """
        self.check_space(size_bytes)
        queue = self._read()
        room = self._settings.queue.max_queued_images - queue.length
        reserve = self._settings.queue.reserved_queue_images
        if room > reserve or (room > 0 and priority is Priority.INTERACTIVE and self._may_use_reserve(user_id)):
            return
        missing = CHUNK - room + (reserve if priority is Priority.BULK else 0)
        wait_s = math.ceil(missing / queue.done_per_s) if queue.done_per_s else UNKNOWN_WAIT_S
        raise QueueFull(
            f"{queue.length:,} images wait to be screened, and there is no place for more. Send again later.",
            min(LONGEST_WAIT_S, max(1, wait_s)),
        )

    def check_space(self, size_bytes: int = 0) -> None:
        """Raises StorageFull: see `admit`."""
        free = self._store.free_bytes()
        if free is not None and free - size_bytes < self._settings.limits.min_free_disk_bytes:
            raise StorageFull(f"The disk of the image storage has only {free / 1e9:.1f} GB left.")

    def _may_use_reserve(self, user_id: int) -> bool:
        with self._database.read() as session:
            return backlog.queue_length(session, at_most=INTERACTIVE_EACH, interactive_of=user_id) < INTERACTIVE_EACH

    def _read(self) -> _Queue:
        with self._lock:
            if self._queue is None or self._clock() - self._queue.read_s >= FRESH_S:
                with self._database.read() as session:
                    length = backlog.queue_length(session, at_most=self._settings.queue.max_queued_images)
                    done = backlog.done_since(session, now(session) - timedelta(seconds=RATE_OVER_S))
                self._queue = _Queue(length, done / RATE_OVER_S, self._clock())
            return self._queue
