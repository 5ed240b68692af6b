"""What users look at, written to the audit log (`db/audit.py`) before it is shown."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable

from cachetools import TTLCache

from db.audit import Action, Kind
from db.session import Database
from services.caller import Caller

SAME_VIEW_S = 60.0
"""A page that renews itself is one view, not one a second: what a user saw this long ago is not written again."""
MAX_REMEMBERED = 50_000
"""A view that is forgotten earlier costs an entry too many."""


class ViewLog:
    """One a process, shared by its threads."""

    def __init__(self, database: Database, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._recent: TTLCache[Hashable, bool] = TTLCache(MAX_REMEMBERED, ttl=SAME_VIEW_S, timer=clock)

    def record(self, caller: Caller, kind: Kind, object_id: int | None, part: str, *included: str) -> None:
        """Record that the user sees `part`, which shows the parts `included`: they then need no entry of their own.

        One short insert of its own. If it fails the request fails: nothing is shown without a trace.
        """
        with self._lock:
            if (caller.user_id, kind, object_id, part) in self._recent:
                return
        with self._database.begin() as session:
            caller.record(session, Action.VIEWED, kind, object_id, part)
        with self._lock:
            self._recent.update({(caller.user_id, kind, object_id, shown): True for shown in (part, *included)})
