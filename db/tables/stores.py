"""The blob store of this database, and the blobs that are to be removed from it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from db.tables.base import Base


class RecordedStore(Base):
    """The id in the marker of the blob store that holds this database's images: one row; see `db/stores.py`."""

    __tablename__ = "blob_stores"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, doc="Always 1.")
    store_id: Mapped[str] = mapped_column(String(32))
    recorded_at: Mapped[datetime]


class BlobRemoval(Base):
    """A blob that no image referred to when this was written: to be removed or just removed (`db/retention`)."""

    __tablename__ = "blob_removals"

    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    asked_at: Mapped[datetime]
    removed_at: Mapped[datetime | None] = mapped_column(index=True)
