"""Files of a job that were not taken in: recorded with the job, shown with it, erased with it.

As in `db/jobs.py`, the functions take a session and never commit.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from db import dialect
from db.listing.page import Page, page_of
from db.tables import Rejection


@dataclass(frozen=True, slots=True)
class NewRejection:
    """What was wrong with one file; `sha256` is empty when its bytes were not read to their end."""

    filename: str
    code: str
    message: str
    sha256: str = ""


def add(session: Session, job_id: int, rejected: Sequence[NewRejection], now: datetime) -> None:
    """Record these files. One that was rejected before keeps its row, which then has the latest reason."""
    rows = {
        (item.filename, item.sha256): {
            "job_id": job_id,
            "filename": item.filename,
            "sha256": item.sha256,
            "code": item.code,
            "message": item.message[:500],
            "at": now,
        }
        for item in rejected
    }
    if not rows:
        return
    insert = dialect.insert(session, Rejection)
    last = {name: insert.excluded[name] for name in ("code", "message", "at")}
    statement = insert.on_conflict_do_update(index_elements=["job_id", "filename", "sha256"], set_=last)
    session.execute(statement, [rows[key] for key in sorted(rows)])


def forget(session: Session, job_id: int, filenames: Iterable[str]) -> None:
    """Delete the rows of files that were accepted later, under the same name."""
    names = set(filenames)
    if names:
        session.execute(delete(Rejection).where(Rejection.job_id == job_id, Rejection.filename.in_(names)))


def erase_some(session: Session, job_id: int, *, limit: int) -> bool:
    """Erase up to `limit` rejections of a deleted job; whether there were any."""
    some = select(Rejection.id).where(Rejection.job_id == job_id).limit(limit)
    erased = session.scalars(delete(Rejection).where(Rejection.id.in_(some)).returning(Rejection.id))
    return bool(erased.all())


def page(session: Session, job_id: int, *, cursor: int | None = None, limit: int) -> Page[Rejection]:
    """One page of a job's, in the order in which they came; `cursor` is the id of the last one on the page before."""
    query = select(Rejection).where(Rejection.job_id == job_id, Rejection.id > (cursor or 0))
    return page_of(session.scalars(query.order_by(Rejection.id).limit(limit + 1)).all(), limit)
