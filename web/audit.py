"""What users do through this process, written to the audit log (`db/audit.py`)."""

from __future__ import annotations

from flask import request
from sqlalchemy.orm import Session

from db import audit
from db.audit import Action, Actor, Kind
from db.session import now
from web.auth import user
from web.services import services


def actor() -> Actor:
    """The signed-in user of this request."""
    who = user()
    return Actor(who.name, who.id, who.role, request.remote_addr)


def did(session: Session, action: Action, kind: Kind, object_id: int | None, detail: str = "") -> None:
    """An entry in the caller's transaction, which makes the change it tells of."""
    audit.record(session, actor(), action, now(session), kind=kind, object_id=object_id, detail=detail)


def saw(kind: Kind, object_id: int | None, part: str, *included: str) -> None:
    """Write, before it is shown, that the user sees `part`; it shows the parts `included`, which then need no entry.

    One short insert of its own. If it fails the request fails: nothing is shown without a trace.
    """
    who = user()
    seen, lock = services().recently_seen, services().seen_lock
    with lock:
        if (who.id, kind, object_id, part) in seen:
            return
    with services().database.begin() as session:
        did(session, Action.SAW, kind, object_id, part)
    with lock:
        seen.update({(who.id, kind, object_id, shown): True for shown in (part, *included)})
