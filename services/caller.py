"""The user for whom the application does something."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from db import audit
from db.audit import Action, Actor, Kind
from db.session import now
from db.states import Role


@dataclass(frozen=True, slots=True)
class Caller:
    """A user: signed in with a browser, by a token, or the one in whose name a device sends images."""

    user_id: int
    name: str
    role: Role
    address: str | None = None

    def record(
        self, session: Session, action: Action, kind: Kind | None = None, object_id: int | None = None, detail: str = ""
    ) -> None:
        """Write what this user does to the audit log, in the transaction that does it."""
        actor = Actor(self.name, self.user_id, self.role, self.address)
        audit.record(session, actor, action, now(session), kind=kind, object_id=object_id, detail=detail)
