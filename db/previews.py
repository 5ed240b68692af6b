"""Pictures of uploads that browsers would show differently from what the model saw, or not at all.

They are in the database and not in the blob store, which workers only read. Each has some tens of kilobytes, and few
uploads need one. It is removed with its upload.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlalchemy import delete, exists, select
from sqlalchemy.orm import Session

from db import dialect
from db.tables import Preview


def keep(session: Session, pictures: Mapping[str, bytes], now: datetime) -> None:
    """Store JPEGs by the sha256 of their uploads. One that is stored already stays: it was made from the same bytes."""
    rows = [{"sha256": sha256, "jpeg": jpeg, "created_at": now} for sha256, jpeg in sorted(pictures.items())]
    if rows:
        insert = dialect.insert(session, Preview)
        session.execute(insert.on_conflict_do_nothing(index_elements=["sha256"]), rows)


def has(session: Session, sha256: str) -> bool:
    return bool(session.scalars(select(exists().where(Preview.sha256 == sha256))).one())


def picture(session: Session, sha256: str) -> bytes | None:
    return session.scalars(select(Preview.jpeg).where(Preview.sha256 == sha256)).one_or_none()


def remove(session: Session, sha256s: Iterable[str]) -> None:
    session.execute(
        delete(Preview).where(Preview.sha256.in_(list(sha256s))).execution_options(synchronize_session=False)
    )
