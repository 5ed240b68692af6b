"""Models, and which of them is in use since when."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from db.states import ModelRole
from db.tables.base import Base, Id


class Model(Base):
    """A checkpoint that was imported, or that a worker has loaded: results outlive its file."""

    __tablename__ = "models"

    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    name: Mapped[str] = mapped_column(String(128))
    card: Mapped[dict[str, Any]] = mapped_column(JSON)
    created_at: Mapped[datetime]


class Deployment(Base):
    """A model is primary or shadow since `since`, until `until` (NULL: to this day).

    While no row says which one is primary, it is the model that comes with the release.
    """

    __tablename__ = "deployments"
    __table_args__ = (
        Index(
            "uq_deployments_primary",
            "role",
            unique=True,
            sqlite_where=text("role = 'primary' AND until IS NULL"),
            postgresql_where=text("role = 'primary' AND until IS NULL"),
        ),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    model_sha256: Mapped[str] = mapped_column(ForeignKey("models.sha256"))
    role: Mapped[ModelRole]
    since: Mapped[datetime]
    deployed_by: Mapped[str] = mapped_column(String(64), doc="The name of a user; `(cli)`, `(upgrade)`.")
    until: Mapped[datetime | None]
    model: Mapped[Model] = relationship(lazy="raise")
