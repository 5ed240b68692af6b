"""Views of the worklist that users have saved."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import JSON, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from db.tables.base import Base, Id


class SavedView(Base):
    """A filter and an order under a name. Both may hold the name of a patient, so only their user sees them."""

    __tablename__ = "saved_views"
    __table_args__ = (Index(None, "user_id", "name", unique=True), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    name: Mapped[str] = mapped_column(String(80))
    fields: Mapped[dict[str, str]] = mapped_column(JSON, doc="Of the filter's form, as typed.")
    created_at: Mapped[datetime]
