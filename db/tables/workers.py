"""Signs of life: of the workers, and of the other parts of the service."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from db.tables.base import Base


class Worker(Base):
    """One row a worker process: who is alive, with which model. Written by its heartbeat."""

    __tablename__ = "workers"

    name: Mapped[str] = mapped_column(String(128), primary_key=True)
    engine: Mapped[str] = mapped_column(String(64))
    model_sha256: Mapped[str] = mapped_column(ForeignKey("models.sha256"))
    started_at: Mapped[datetime]
    seen_at: Mapped[datetime] = mapped_column(index=True)
    batches: Mapped[int] = mapped_column(default=0)
    images: Mapped[int] = mapped_column(default=0)
    paused_reason: Mapped[str | None] = mapped_column(String(300), doc="Why it claims nothing, as a sentence.")
    model_problem: Mapped[str | None] = mapped_column(
        String(300), doc="Why it runs another model than the deployed one, as a sentence."
    )


class Heartbeat(Base):
    """When a part of the service that is not a worker was last at work; `db/heartbeats.py` has the names."""

    __tablename__ = "heartbeats"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    seen_at: Mapped[datetime]
