"""Records in the audit log (`db/audit.py`) what users view, before it is shown to them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable

from cachetools import TTLCache

from db.audit import Action, Kind
from db.session import Database
from services.caller import Caller

SAME_VIEW_S = 60.0
"""The same view is not recorded again within this time, since pages renew themselves every second."""
MAX_REMEMBERED = 50_000
"""Views, of all users. One that is forgotten too early is recorded a second time."""


class ViewLog:
    """Records the views of all requests of a process; shared by its threads."""

    def __init__(self, database: Database, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._recent: TTLCache[Hashable, bool] = TTLCache(MAX_REMEMBERED, ttl=SAME_VIEW_S, timer=clock)

    def record(self, caller: Caller, kind: Kind, object_id: int | None, part: str, *included: str) -> None:
        """Record that the user views `part`, which shows the parts `included` too: those get no entry of their own.

        It is a transaction of its own. If it fails the request fails, so that nothing is shown without an entry.
        """
        with self._lock:
            if (caller.user_id, kind, object_id, part) in self._recent:
                return
        with self._database.begin() as session:
            caller.record(session, Action.VIEWED, kind, object_id, part)
        with self._lock:
            self._recent.update({(caller.user_id, kind, object_id, shown): True for shown in (part, *included)})
