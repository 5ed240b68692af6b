"""Images with all that a list or a page shows of them: job, primary prediction, model and reviews."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session, joinedload, selectinload

from db.listing import search
from db.listing.filters import Filters, conditions, filtered, sort_for
from db.listing.order import Key, Order, Sort, key_after, order_of
from db.listing.page import Page, page_of
from db.states import ImageState
from db.tables import Image, Prediction, Review


def get(session: Session, image_id: int) -> Image | None:
    """One image; None if there is none, or its job is deleted."""
    query = filtered(Filters(), order_in(Filters(), Sort.NEWEST)).where(Image.id == image_id)
    return session.scalars(_with_results(query)).one_or_none()


def page(
    session: Session,
    filters: Filters,
    *,
    cursor: int | None = None,
    limit: int = 50,
    sort: Sort = Sort.NEWEST,
) -> Page[Image]:
    """One page of the images that match; `cursor` is the id of the last one on the page before.

    Raises:
        InvalidInput: the image of the cursor is deleted, and its place in this order unknown.
    """
    order = order_in(filters, sort)
    return page_of(rows(session, filters, order, key_after(session, order, cursor), limit + 1), limit)


def page_around(
    session: Session, filters: Filters, image: Image, *, limit: int, sort: Sort
) -> tuple[Page[Image], int | None]:
    """The page with the place of `image` in its middle, and the cursor that gives this page again; None: the first.

    The image may have left the list since, by a review for instance: its place is still there.
    """
    order = order_in(filters, sort)
    before = rows(session, filters, order.turned(), order.key_of(image), limit // 2 + 1)
    start = before[-1] if len(before) > limit // 2 else None
    after = None if start is None else order.key_of(start)
    return page_of(rows(session, filters, order, after, limit + 1), limit), None if start is None else start.id


def neighbours(session: Session, filters: Filters, image: Image, *, sort: Sort) -> tuple[int | None, int | None]:
    """The ids of the images before and after the place of `image` in a list; None: there is none."""
    order = order_in(filters, sort)
    key = order.key_of(image)
    before = rows(session, filters, order.turned(), key, 1)
    after = rows(session, filters, order, key, 1)
    return before[0].id if before else None, after[0].id if after else None


def count_finished(session: Session, filters: Filters, since: datetime, *, most: int) -> int:
    """How many of the images that match were screened, or failed, after `since`; no more than `most` are counted."""
    finished = Image.state.in_((ImageState.DONE, ImageState.FAILED)) & (Image.finished_at > since)
    matching = conditions(filters, order_of(Sort.NAME, of_one_job=False), lead=False)  # the time of finish leads
    return session.scalars(
        select(func.count()).select_from(select(Image.id).where(finished, *matching).limit(most).subquery())
    ).one()


def rows(session: Session, filters: Filters, order: Order, after: Key | None, count: int) -> Sequence[Image]:
    """The next `count` images that match, or as many as there are."""

    def read(query: Select[Image]) -> Sequence[Image]:
        return session.scalars(_with_results(query).limit(count)).all()

    if filters.filename and filters.job_id is None:
        near = search.nearby(session, filters, order, after)
        images = read(near.images)
        if near.are_all or len(images) == count:
            return images
        if len(filters.filename) >= search.INDEXED_PIECE:
            return read(search.by_name(session, filters, order, after))
    return read(filtered(filters, order, after))


def order_in(filters: Filters, sort: Sort) -> Order:
    """The order in which a list of these images is read."""
    return order_of(sort_for(filters, sort), of_one_job=filters.job_id is not None)


def _with_results(query: Select[Image]) -> Select[Image]:
    return query.options(
        joinedload(Image.job),
        joinedload(Image.primary_prediction).options(
            joinedload(Prediction.model), selectinload(Prediction.reviews).joinedload(Review.user)
        ),
    )
