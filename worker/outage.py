"""Tells a blob store that is away, or another one, or has lost its bytes, from an image that cannot be read."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import TypeVar

import structlog

from core.errors import BlobMissing, StorageUnavailable
from db.claims import Claim
from worker.predict import Outcome

PATIENCE_S = 120.0
"""After this the images are to blame after all: else one bad sector could hold a worker for ever."""

PAUSE_S = 1.0
"""Between two tries of a store that is away."""

CHECKED_EVERY_S = 1.0
"""While all is well. What vanishes in between is noticed by the first missing blob."""

RECENT_IMAGES = 16
MANY_MISSING = 3
"""Missing among the recent images, and more than half of them: so many files do not vanish one by one."""

INCOMPLETE = "The image storage has its marker, but the bytes of most of the queued images are missing from it."

T = TypeVar("T")

log = structlog.get_logger()


class Outage:
    """What keeps a worker from its images' bytes; `reason` says it in a sentence, or is None.

    Args:
        check: raises StorageUnavailable unless the store is there and the right one.
        exists: whether the store has the bytes of this sha256 now.
        next_sha256s: those of the images that are next.
    """

    def __init__(
        self,
        check: Callable[[], None],
        exists: Callable[[str], bool],
        next_sha256s: Callable[[], Sequence[str]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.reason: str | None = None
        self._check = check
        self._exists = exists
        self._next_sha256s = next_sha256s
        self._clock = clock
        self._checked_at_s: float | None = None
        self._unreadable_since_s: float | None = None
        self._incomplete = False
        self._recent: OrderedDict[int, bool] = OrderedDict()
        """The last images by id, and whether their bytes were missing."""

    def wait_until_over(self, stop: threading.Event) -> bool:
        """Return True once images may be claimed, False once `stop` is set."""
        if self._unreadable_since_s is not None:
            stop.wait(PAUSE_S)  # then the next batch is the test
        while not stop.is_set():
            if not self.lasts():
                return True
            stop.wait(PAUSE_S)
        return False

    def wait_for(self, load: Callable[[], T], stop: threading.Event) -> T | None:
        """Return what `load` returns, once it raises StorageUnavailable no more, or None once `stop` is set."""
        while not stop.is_set():
            try:
                result = load()
            except StorageUnavailable as error:
                self._set_reason(error.message)
                stop.wait(PAUSE_S)
            else:
                self._set_reason(None)
                return result
        return None

    def lasts(self) -> bool:
        """Whether nothing may be claimed now. The log says it once."""
        self._set_reason(self._what_is_wrong())
        return self.reason is not None

    def excused(self, outcomes: Sequence[tuple[Claim, Outcome]]) -> list[Claim]:
        """The claims of a batch that shall be tried again as if they had not been tried: the store is to blame."""
        refused = [claim for claim, outcome in outcomes if isinstance(outcome, StorageUnavailable)]
        missing = [claim for claim, outcome in outcomes if isinstance(outcome, BlobMissing)]
        if missing and not self._is_lasting(missing[-1]):
            return missing + refused
        self._note(outcomes)
        if self._incomplete:
            return missing
        return refused if len(refused) == len(outcomes) and self._has_patience() else []

    def _set_reason(self, reason: str | None) -> None:
        if reason != self.reason:
            log.warning("worker_paused", reason=reason) if reason else log.info("worker_goes_on")
        self.reason = reason

    def _what_is_wrong(self) -> str | None:
        now_s = self._clock()
        if self._checked_at_s is None or now_s - self._checked_at_s >= CHECKED_EVERY_S:
            try:
                self._check()
            except StorageUnavailable as error:
                self._checked_at_s = None
                return error.message
            self._checked_at_s = now_s
        if self._incomplete:
            if not self._are_mostly_there(self._next_sha256s()):
                return INCOMPLETE
            self._incomplete = False
            self._recent.clear()
        return None

    def _is_lasting(self, missing: Claim) -> bool:
        """Whether these bytes are missing from the right store, and still are: it may have been away for a moment."""
        try:
            self._check()
            return not self._exists(missing.sha256)
        except StorageUnavailable:
            self._checked_at_s = None
            return False

    def _are_mostly_there(self, sha256s: Sequence[str]) -> bool:
        """Also if no image is next: then there is nothing to miss."""
        try:
            return not sha256s or 2 * sum(map(self._exists, sha256s)) > len(sha256s)
        except StorageUnavailable:
            return False

    def _note(self, outcomes: Sequence[tuple[Claim, Outcome]]) -> None:
        for claim, outcome in outcomes:
            if not isinstance(outcome, StorageUnavailable):
                self._unreadable_since_s = None
                self._recent[claim.image_id] = isinstance(outcome, BlobMissing)
                self._recent.move_to_end(claim.image_id)
        while len(self._recent) > RECENT_IMAGES:
            self._recent.popitem(last=False)
        missing = sum(self._recent.values())
        self._incomplete = missing >= MANY_MISSING and 2 * missing > len(self._recent)

    def _has_patience(self) -> bool:
        now_s = self._clock()
        if self._unreadable_since_s is None:
            self._unreadable_since_s = now_s
        return now_s - self._unreadable_since_s < PATIENCE_S
