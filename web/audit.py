"""What users look at, written to the audit log (`db/audit.py`) before it is shown."""

from __future__ import annotations

from db.audit import Action, Kind
from web.auth import caller
from web.dependencies import Dependencies


def record_view(deps: Dependencies, kind: Kind, object_id: int | None, part: str, *included: str) -> None:
    """Record that the user sees `part`, which shows the parts `included`: they then need no entry of their own.

    One short insert of its own. If it fails the request fails: nothing is shown without a trace.
    """
    who = caller()
    with deps.seen_lock:
        if (who.user_id, kind, object_id, part) in deps.recently_seen:
            return
    with deps.database.begin() as session:
        who.record(session, Action.SAW, kind, object_id, part)
    with deps.seen_lock:
        deps.recently_seen.update({(who.user_id, kind, object_id, shown): True for shown in (part, *included)})
