"""The list of jobs."""

from __future__ import annotations

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from db.listing.page import Page, page_of
from db.tables import Image, Job


def page(session: Session, *, cursor: int | None = None, limit: int = 50) -> Page[Job]:
    """One page of the jobs, newest first; `cursor` is the id of the last one on the page before.

    A job whose sender declared how many files it will send is listed from its first image on.
    """
    begun = Job.expected_images.is_(None) | exists().where(Image.job_id == Job.id)
    query = select(Job).where(Job.deleted_at.is_(None), begun).order_by(Job.id.desc()).limit(limit + 1)
    if cursor is not None:
        query = query.where(Job.id < cursor)
    return page_of(session.scalars(query).all(), limit)
