"""Remembers for a minute what was done, in bounded memory."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable

SAME_VIEW_S = 60.0
"""A page that renews itself is one view, not one a second: what a user saw this long ago is not written again."""
REMEMBERED = 50_000


class Recently:
    """Keys added within the last `SAME_VIEW_S`, at most `REMEMBERED`; a forgotten one costs an entry too many."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._added_s: OrderedDict[Hashable, float] = OrderedDict()
        self._lock = threading.Lock()

    def __contains__(self, key: Hashable) -> bool:
        with self._lock:
            added_s = self._added_s.get(key)
        return added_s is not None and self._clock() - added_s < SAME_VIEW_S

    def add(self, key: Hashable) -> None:
        with self._lock:
            self._added_s[key] = self._clock()
            self._added_s.move_to_end(key)
            while len(self._added_s) > REMEMBERED:
                self._added_s.popitem(last=False)
