"""Tells a blob store that is away from an image that cannot be read."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from core.errors import StorageUnavailable
from worker.batching import Outcome

PATIENCE_S = 120.0
"""After this the images are to blame after all: else one bad sector could hold a worker for ever."""

PAUSE_S = 1.0
"""Between two tries of a store that is away."""


class Outage:
    """Begins with a batch of which the store gave not one image, ends with one of which it gave any."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began_at_s: float | None = None

    @property
    def lasts(self) -> bool:
        return self._began_at_s is not None

    def excuses(self, outcomes: Sequence[Outcome]) -> bool:
        """Whether these shall be tried again as if they had not been tried."""
        if not all(isinstance(outcome, StorageUnavailable) for outcome in outcomes):
            self._began_at_s = None
            return False
        now_s = self._clock()
        if self._began_at_s is None:
            self._began_at_s = now_s
        return now_s - self._began_at_s < PATIENCE_S
