"""The results history: every image, newest first, narrowed by a filter that lives in the URL."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TypeVar
from urllib.parse import urlencode

from flask import render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict

from db import queries
from db.models import Image
from db.queries import Filters, Page
from db.states import Decision, ImageState
from web import uploads
from web.pages.base import API_ROOT, blueprint, cursor
from web.pages.words import iso
from web.services import services

IMAGES_ON_A_PAGE = 50
MAX_FILENAME_CHARS = 200

Word = TypeVar("Word", Decision, ImageState)


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
            filename=uploads.clean(args.get("filename", ""))[:MAX_FILENAME_CHARS],
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
        since, last_day = _day("from", self.from_day), _day("to", self.to_day)
        if since and last_day and last_day < since:
            raise ValueError("The day “from” is after the day “to”: swap them.")
        try:
            until = last_day + timedelta(days=1) if last_day else None
        except OverflowError:
            raise ValueError("The day “to” is too far in the future.") from None
        return Filters(
            filename=self.filename or None,
            decision=_member(Decision, self.decision),
            state=_member(ImageState, self.state),
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


def _day(name: str, given: str) -> datetime | None:
    """The start of a day, UTC."""
    if not given:
        return None
    try:
        return datetime.combine(date.fromisoformat(given), time(), UTC)
    except ValueError:
        raise ValueError(f"The day “{name}” is no date: write it as 2026-11-23.") from None


def _member(kind: type[Word], given: str) -> Word | None:
    if not given:
        return None
    try:
        return kind(given)
    except ValueError:
        raise ValueError("The filter holds a word that is not in its list: choose one from the list.") from None
