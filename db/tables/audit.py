"""The audit log."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from db.tables.base import Base, Id


class AuditEntry(Base):
    """Who did what to what, and when. Triggers of the database refuse to change or delete a row.

    It has no foreign keys: an entry stays when its subject is deleted, and has the user's name of that time. It has no
    file names.
    """

    __tablename__ = "audit_entries"
    __table_args__ = (
        Index("ix_audit_entries_actor_id", "actor", "id"),
        Index("ix_audit_entries_action_id", "action", "id"),
        Index("ix_audit_entries_object", "object_kind", "object_id", "id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    at: Mapped[datetime]
    actor: Mapped[str] = mapped_column(String(64), doc="A user's name; `(cli)`, `(sweeper)`, `(unknown)`.")
    user_id: Mapped[int | None] = mapped_column(BigInteger)
    role: Mapped[str | None] = mapped_column(String(16))
    action: Mapped[str] = mapped_column(String(32))
    object_kind: Mapped[str | None] = mapped_column(String(16))
    object_id: Mapped[int | None] = mapped_column(BigInteger)
    detail: Mapped[str] = mapped_column(String(200))
    address: Mapped[str | None] = mapped_column(String(45), doc="The client's, as the web process saw it.")
