"""The results history: every image, newest first, with a filter above it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar
from urllib.parse import urlencode

from flask import render_template, request
from flask.typing import ResponseReturnValue

from db.audit import Kind
from db.listing import images
from db.listing.filters import Filters
from db.listing.page import Page
from db.states import Decision, ImageState
from db.tables import Image
from services import filenames
from web import permissions
from web.auth import caller, user
from web.dependencies import dependencies
from web.pages.base import API_ROOT, blueprint, cursor
from web.pages.filter_form import FilterForm, member
from web.pages.words import DECISION_WORDS, STATE_WORDS, iso

IMAGES_ON_A_PAGE = 50
MAX_FILENAME_CHARS = 200


@dataclass(frozen=True, slots=True)
class HistoryForm(FilterForm):
    """The filter of the history as typed. Its days are those on which images were sent."""

    name_field: ClassVar[str] = "filename"
    name_words: ClassVar[str] = "A file name"

    filename: str = ""
    decision: str = ""
    state: str = ""

    @staticmethod
    def clean_name(text: str) -> str:
        return filenames.clean(text)[:MAX_FILENAME_CHARS]

    def filters(self) -> Filters:
        """Raises ValueError, with a sentence for the user: a field holds no such value."""
        since, until = self.days
        return Filters(
            filename=self.filename or None,
            decision=member(Decision, self.decision),
            state=member(ImageState, self.state),
            since=since,
            until=until,
        )


@blueprint.post("/history")
def search_history() -> ResponseReturnValue:
    return HistoryForm.read(request.form).show("pages.history")


@blueprint.get("/history")
def history() -> ResponseReturnValue:
    deps = dependencies()
    form = HistoryForm.read(request.args)
    owner_id = permissions.visible_to(user())
    page: Page[Image] = Page([], None)
    error, csv_link = "", ""
    try:
        form = form.with_name(request.args)
        filters = form.filters()
    except ValueError as wrong:
        error = str(wrong)
    else:
        csv_link = csv_url(filters, form.search)
        deps.view_log.record(caller(), Kind.RESULTS, None, "page", "list")
        with deps.database.read() as session:
            visible = replace(filters, user_id=owner_id)
            page = images.page(session, visible, cursor=cursor(), limit=IMAGES_ON_A_PAGE)
    html = render_template(
        "history/view.html",
        form=form,
        error=error,
        csv_url=csv_link,
        images=page.items,
        decisions={d: DECISION_WORDS[d].lower() for d in Decision},
        states={s: STATE_WORDS[s].lower() for s in ImageState},
        cursor=cursor(),
        next_cursor=page.next_cursor,
        everybody=owner_id is None,
    )
    return html, 400 if error else 200


def csv_url(filters: Filters, search: str = "") -> str:
    """The address of the API's CSV file of the same images; its `to` is exclusive."""
    query = {
        "format": "csv",
        "search": search,
        "decision": filters.decision,
        "state": filters.state,
        "from": filters.since and iso(filters.since),
        "to": filters.until and iso(filters.until),
    }
    return f"{API_ROOT}/results?{urlencode({name: value for name, value in query.items() if value})}"
