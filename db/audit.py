"""The audit log: who viewed, sent, reviewed, exported, deleted what, and when. Rows are only ever added.

An entry is written in the transaction of the change that it records, so that neither exists without the other. It
holds numbers and fixed words, never a file name or a search text, which may name a patient.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.listing.page import Page, page_of
from db.session import now
from db.tables import AuditEntry

MAX_DETAIL_CHARS = 200
"""Of the column; PostgreSQL refuses longer ones."""


class Action(StrEnum):
    VIEWED = "saw"
    EXPORTED = "exported"
    SUBMITTED = "submitted"
    REVIEWED = "reviewed"
    ASSIGNED = "assigned"
    CANCELLED = "cancelled"
    RETRIED = "retried"
    DELETED = "deleted"
    PURGED = "purged"
    SIGNED_IN = "signed_in"
    SIGN_IN_FAILED = "sign_in_failed"
    SIGNED_OUT = "signed_out"
    USER_ADDED = "user_added"
    USER_DISABLED = "user_disabled"
    USER_ENABLED = "user_enabled"
    PASSWORD_SET = "password_set"  # noqa: S105  # a word of the log
    TOKEN_CREATED = "token_created"  # noqa: S105
    TOKEN_REVOKED = "token_revoked"  # noqa: S105
    MODEL_IMPORTED = "model_imported"
    MODEL_ACTIVATED = "model_activated"


class Kind(StrEnum):
    """What an entry is about. `object_id` is its number; `RESULTS`, a list, has none."""

    JOB = "job"
    IMAGE = "image"
    RESULTS = "results"
    AUDIT_LOG = "audit log"
    USER = "user"
    MODEL = "model"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: a user of the web process with the client's address, or a part of the service."""

    name: str
    user_id: int | None = None
    role: str | None = None
    address: str | None = None


CLI = Actor("(cli)")
UPGRADE = Actor("(upgrade)")
SWEEPER = Actor("(sweeper)")


@dataclass(frozen=True, slots=True)
class Filters:
    """Conditions on the entries of the log; None means no limit. `until` is exclusive."""

    actor: str | None = None
    action: Action | None = None
    kind: Kind | None = None
    object_id: int | None = None
    since: datetime | None = None
    until: datetime | None = None


def record(
    session: Session,
    actor: Actor,
    action: Action,
    at: datetime,
    *,
    kind: Kind | None = None,
    object_id: int | None = None,
    detail: str = "",
) -> None:
    session.add(
        AuditEntry(
            at=at,
            actor=actor.name,
            user_id=actor.user_id,
            role=actor.role,
            action=action,
            object_kind=kind,
            object_id=object_id,
            detail=detail,
            address=actor.address,
        )
    )


def record_command(session: Session, action: Action, kind: Kind, object_id: int, detail: str = "") -> None:
    """Record what a command of the operator does, in the command's own transaction."""
    record(session, CLI, action, now(session), kind=kind, object_id=object_id, detail=detail)


def entries(session: Session, filters: Filters, *, cursor: int | None = None, limit: int = 50) -> Page[AuditEntry]:
    """Entries, newest first; `cursor` is the id of the last one on the page before."""
    query = select(AuditEntry).order_by(AuditEntry.id.desc()).limit(limit + 1)
    wanted = (
        (AuditEntry.actor, filters.actor),
        (AuditEntry.action, filters.action),
        (AuditEntry.object_kind, filters.kind),
        (AuditEntry.object_id, filters.object_id),
    )
    for column, value in wanted:
        if value is not None:
            query = query.where(column == value)
    if filters.since is not None:
        query = query.where(AuditEntry.at >= filters.since)
    if filters.until is not None:
        query = query.where(AuditEntry.at < filters.until)
    if cursor is not None:
        query = query.where(AuditEntry.id < cursor)
    return page_of(session.scalars(query).all(), limit)
