"""The list from which an image was opened, and the place in it: next, previous and the way back keep both.

An image's address has the list's own filter and order, behind the word that says which list it is. Without that word
its list is its job, in the order of upload.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from flask import request, url_for
from sqlalchemy.orm import Session

from db.listing import images
from db.listing.filters import Filters
from db.listing.order import Sort
from db.listing.page import Page
from db.tables import Image
from services.jobs import MAX_ID
from web import permissions
from web.auth import user
from web.pages.base import cursor
from web.pages.history.form import HistoryForm
from web.pages.job.shown import job_filters

HISTORY, JOB = "history", "job"


@dataclass(frozen=True, slots=True)
class Place:
    """A list that is read image by image. `query` keeps it in addresses; `trouble` is why another one stands for it."""

    filters: Filters
    sort: Sort
    words: str
    back_url: str
    query: Mapping[str, Any]
    trouble: str = ""

    def neighbours(self, session: Session, image: Image) -> tuple[int | None, int | None]:
        return images.neighbours(session, self.filters, image, sort=self.sort)


def place_of(image: Image) -> Place:
    """Where this image was opened, as the address of this request says."""
    listed = request.args.get("list", "")
    if listed == JOB:
        return _in_job(image, request.args.get("show", ""))
    if listed != HISTORY:
        return _in_job(image, "")
    form = HistoryForm.read(request.args)
    try:
        form = form.with_name(request.args)
        filters, sort = replace(form.filters(), user_id=permissions.visible_to(user())), form.order
    except ValueError as error:
        trouble = f"The list that you came from is not there any more. {error}"
        return replace(_in_job(image, ""), query={}, trouble=trouble)
    back_url = url_for("pages.history", **form.query, at=image.id, _anchor=f"image-{image.id}")
    return Place(filters, sort, "the history", back_url, kept_query())


def kept_query() -> dict[str, Any]:
    """What of this request's address names the list: for the address of another image in it."""
    known = {"list", "show", *HistoryForm.names()}
    return {name: value for name, value in request.args.items() if name in known} if "list" in request.args else {}


def page_here(session: Session, filters: Filters, sort: Sort, limit: int) -> tuple[Page[Image], int | None]:
    """The page of a list that the address asks for, around the image `?at=` or after `?cursor=`; and its cursor."""
    at = request.args.get("at", "")
    is_number = at.isascii() and at.isdecimal() and len(at) < 20 and int(at) <= MAX_ID
    if is_number and (image := images.get(session, int(at))) is not None:
        return images.page_around(session, filters, image, limit=limit, sort=sort)
    return images.page(session, filters, cursor=cursor(), limit=limit, sort=sort), cursor()


def _in_job(image: Image, show: str) -> Place:
    filters = job_filters(image.job_id, show)
    back_url = url_for("pages.job", job_id=image.job_id, show=show or None, at=image.id, _anchor=f"image-{image.id}")
    return Place(filters, Sort.OLDEST, f"job {image.job_id}", back_url, kept_query())
