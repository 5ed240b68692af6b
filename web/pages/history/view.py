"""The results history: every image, newest first, narrowed by a filter.

The filter is sent as a form and stands in the page's address, except for a part of a file name, which may be a
patient's: of that the address holds a key (`services/searches.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any
from urllib.parse import urlencode

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from core.kinds import View
from db import queries
from db.audit import Kind
from db.listing.filters import Filters
from db.queries import Page
from db.states import Decision, ImageState
from db.tables import Image
from services import filenames, searches
from web import permissions
from web.auth import caller, user
from web.dependencies import dependencies
from web.pages.base import API_ROOT, blueprint, cursor
from web.pages.forms import days, member
from web.pages.words import iso

IMAGES_ON_A_PAGE = 50
MAX_FILENAME_CHARS = 200
NAME_IN_ADDRESS = "A file name no longer stands in an address, for logs keep those. Press “Filter” to search for it."


@dataclass(frozen=True, slots=True)
class HistoryForm:
    """The filter as typed. Days are inclusive, in UTC, and mean when an image was sent."""

    filename: str = ""
    decision: str = ""
    view: str = ""
    state: str = ""
    from_day: str = ""
    to_day: str = ""
    search: str = ""

    @classmethod
    def read(cls, given: Mapping[str, str]) -> HistoryForm:
        """From the fields of the form or from an address."""
        return cls(
            filename=filenames.clean(given.get("filename", ""))[:MAX_FILENAME_CHARS],
            decision=given.get("decision", ""),
            view=given.get("view", ""),
            state=given.get("state", ""),
            from_day=given.get("from", ""),
            to_day=given.get("to", ""),
            search=given.get("search", ""),
        )

    @property
    def any(self) -> bool:
        return bool(self.query)

    @property
    def query(self) -> dict[str, str]:
        """What of the filter stands in the address."""
        given = asdict(self) | {"filename": ""}
        return {name.removesuffix("_day"): value for name, value in given.items() if value}

    def filters(self) -> Filters:
        """Raises ValueError, with a sentence for the user: a field holds no such value."""
        since, until = days(self.from_day, self.to_day)
        return Filters(
            filename=self.filename or None,
            decision=member(Decision, self.decision),
            view=member(View, self.view),
            state=member(ImageState, self.state),
            since=since,
            until=until,
        )


@blueprint.post("/history")
def search_history() -> ResponseReturnValue:
    """Show what the form asks for: the file name is exchanged for a key."""
    form = HistoryForm.read(request.form)
    key = searches.keep(dependencies().database, user().id, form.filename)[0] if form.filename else ""
    values: dict[str, Any] = dict(replace(form, search=key).query)
    return redirect(url_for("pages.history", **values), 303)


@blueprint.get("/history")
def history() -> ResponseReturnValue:
    deps = dependencies()
    form = HistoryForm.read(request.args)
    page: Page[Image] = Page([], None)
    error, csv_link = "", ""
    try:
        if "filename" in request.args:
            raise ValueError(NAME_IN_ADDRESS)
        if form.search:
            form = replace(form, filename=searches.text_of(deps.database, user().id, form.search))
        filters = form.filters()
    except ValueError as wrong:
        error = str(wrong)
    else:
        csv_link = csv_url(filters, form.search)
        deps.view_log.record(caller(), Kind.RESULTS, None, "page", "list")
        filters = replace(filters, user_id=permissions.narrowed(user()))
        with deps.database.read() as session:
            page = queries.images(session, filters, cursor=cursor(), limit=IMAGES_ON_A_PAGE)
    html = render_template(
        "history/view.html",
        form=form,
        error=error,
        csv_url=csv_link,
        images=page.items,
        decisions=list(Decision),
        views=list(View),
        states=list(ImageState),
        cursor=cursor(),
        next_cursor=page.next_cursor,
        everybody=permissions.narrowed(user()) is None,
    )
    return html, 400 if error else 200


def csv_url(filters: Filters, search: str = "") -> str:
    """The same selection as a CSV file of the API, whose `to` is exclusive."""
    query = {
        "format": "csv",
        "search": search,
        "decision": filters.decision,
        "view": filters.view,
        "state": filters.state,
        "from": filters.since and iso(filters.since),
        "to": filters.until and iso(filters.until),
    }
    return f"{API_ROOT}/results?{urlencode({name: value for name, value in query.items() if value})}"
