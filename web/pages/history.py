"""The results history: every image, newest first, narrowed by a filter that lives in the URL."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from urllib.parse import urlencode

from flask import render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict

from db import queries
from db.audit import Kind
from db.models import Image
from db.narrowing import Filters
from db.queries import Page
from db.states import Decision, ImageState
from web import audit, filenames, permissions
from web.auth import user
from web.pages.base import API_ROOT, blueprint, cursor
from web.pages.forms import days, member
from web.pages.words import iso
from web.services import services

IMAGES_ON_A_PAGE = 50
MAX_FILENAME_CHARS = 200


@dataclass(frozen=True, slots=True)
class HistoryForm:
    """The filter as typed. Days are inclusive, in UTC, and mean when an image was sent."""

    filename: str = ""
    decision: str = ""
    state: str = ""
    from_day: str = ""
    to_day: str = ""

    @classmethod
    def read(cls, args: MultiDict[str, str]) -> HistoryForm:
        return cls(
            filename=filenames.clean(args.get("filename", ""))[:MAX_FILENAME_CHARS],
            decision=args.get("decision", ""),
            state=args.get("state", ""),
            from_day=args.get("from", ""),
            to_day=args.get("to", ""),
        )

    @property
    def any(self) -> bool:
        return bool(self.query)

    @property
    def query(self) -> dict[str, str]:
        """The filled-in fields, by their names in the URL."""
        return {name.removesuffix("_day"): value for name, value in asdict(self).items() if value}

    def filters(self) -> Filters:
        """Raises ValueError, with a sentence for the user: a field holds no such value."""
        since, until = days(self.from_day, self.to_day)
        return Filters(
            filename=self.filename or None,
            decision=member(Decision, self.decision),
            state=member(ImageState, self.state),
            since=since,
            until=until,
        )


@blueprint.get("/history")
def history() -> ResponseReturnValue:
    form = HistoryForm.read(request.args)
    page: Page[Image] = Page([], None)
    error, csv_link = "", ""
    try:
        filters = form.filters()
    except ValueError as wrong:
        error = str(wrong)
    else:
        csv_link = csv_url(filters)
        audit.saw(Kind.RESULTS, None, "page", "list")
        filters = replace(filters, user_id=permissions.narrowed(user()))
        with services().database.read() as session:
            page = queries.images(session, filters, cursor=cursor(), limit=IMAGES_ON_A_PAGE)
    html = render_template(
        "history.html",
        form=form,
        error=error,
        csv_url=csv_link,
        images=page.items,
        decisions=list(Decision),
        states=list(ImageState),
        cursor=cursor(),
        next_cursor=page.next_cursor,
        everybody=permissions.narrowed(user()) is None,
    )
    return html, 400 if error else 200


def csv_url(filters: Filters) -> str:
    """The same selection as a CSV file of the API, whose `to` is exclusive."""
    query = {
        "format": "csv",
        "filename": filters.filename,
        "decision": filters.decision,
        "state": filters.state,
        "from": filters.since and iso(filters.since),
        "to": filters.until and iso(filters.until),
    }
    return f"{API_ROOT}/results?{urlencode({name: value for name, value in query.items() if value})}"
