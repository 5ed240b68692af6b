"""What signing in leaves behind: sessions of browsers, failed attempts, and the texts that users searched for."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from db.tables.base import Base, Id
from db.tables.users import User


class BrowserSession(Base):
    """A signed-in browser. Only the sha256 of its id is kept; the id itself is in its cookie. No address is kept."""

    __tablename__ = "sessions"

    id_sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime] = mapped_column(index=True, doc="The last request of a person, up to a minute late.")
    expires_at: Mapped[datetime] = mapped_column(index=True, doc="Its absolute end, however much it is used.")
    data: Mapped[dict[str, Any]] = mapped_column(
        JSON, doc="What the pages store: messages, the fields of an unsent form."
    )
    user: Mapped[User] = relationship(lazy="joined", innerjoin=True)


class SignInFailures(Base):
    """Failed sign-ins by key, in its present window. The key is a hash, since people type passwords as names."""

    __tablename__ = "sign_in_failures"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    count: Mapped[int]
    window_ends_at: Mapped[datetime] = mapped_column(index=True)


class Search(Base):
    """A text that a user searched for. It may be a patient's name, so addresses have its key only."""

    __tablename__ = "searches"
    __table_args__ = (Index(None, "user_id", "key", unique=True), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    key: Mapped[str] = mapped_column(String(32))
    text: Mapped[str] = mapped_column(String(200))
    expires_at: Mapped[datetime] = mapped_column(index=True)
