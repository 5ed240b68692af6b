"""Images with all that a list or a page shows of them: job, primary prediction, model and reviews."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Select
from sqlalchemy.orm import Session, joinedload, selectinload

from db.listing import search
from db.listing.filters import Filters, filtered, start_after
from db.listing.page import Page, page_of
from db.tables import Image, Prediction, Review


def get(session: Session, image_id: int) -> Image | None:
    """One image; None if there is none, or its job is deleted."""
    query = filtered(Filters(), None, newest_first=True).where(Image.id == image_id)
    return session.scalars(_with_results(query)).one_or_none()


def page(
    session: Session, filters: Filters, *, cursor: int | None = None, limit: int = 50, newest_first: bool = True
) -> Page[Image]:
    """One page of the images that match; `cursor` is the id of the last one on the page before."""
    start = start_after(session, filters, cursor, newest_first=newest_first)

    def read(query: Select[Image]) -> Sequence[Image]:
        return session.scalars(_with_results(query).limit(limit + 1)).all()

    if filters.filename and filters.job_id is None:
        near = search.nearby(session, filters, start, newest_first=newest_first)
        rows = read(near.images)
        if near.are_all or len(rows) > limit:
            return page_of(rows, limit)
        if len(filters.filename) >= search.INDEXED_PIECE:
            return page_of(read(search.by_name(session, filters, start, newest_first=newest_first)), limit)
    return page_of(read(filtered(filters, start, newest_first=newest_first)), limit)


def _with_results(query: Select[Image]) -> Select[Image]:
    return query.options(
        joinedload(Image.job),
        joinedload(Image.primary_prediction).options(
            joinedload(Prediction.model), selectinload(Prediction.reviews).joinedload(Review.user)
        ),
    )
