"""The audit log, newest first, narrowed by a filter that lives in the URL."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from flask import render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict

from db import audit as log
from db.audit import Action, Filters, Kind
from db.models import AuditEntry
from db.queries import Page
from web import audit as our_audit
from web.pages.base import MAX_ID, blueprint, cursor
from web.pages.forms import days, member
from web.services import services

ENTRIES_ON_A_PAGE = 100
MAX_ACTOR_CHARS = 64

PAGES = {Kind.JOB: ("pages.job", "job_id"), Kind.IMAGE: ("pages.image", "image_id")}
"""Kinds of things that have a page, as long as they are not deleted."""


@dataclass(frozen=True, slots=True)
class AuditForm:
    """The filter as typed. Days are inclusive, in UTC."""

    who: str = ""
    action: str = ""
    kind: str = ""
    number: str = ""
    from_day: str = ""
    to_day: str = ""

    @classmethod
    def read(cls, args: MultiDict[str, str]) -> AuditForm:
        given = {name: args.get(name.removesuffix("_day"), "").strip() for name in cls.__slots__}
        return cls(**given | {"who": given["who"][:MAX_ACTOR_CHARS]})

    @property
    def query(self) -> dict[str, str]:
        """The filled-in fields, by their names in the URL."""
        return {name.removesuffix("_day"): value for name, value in asdict(self).items() if value}

    def filters(self) -> Filters:
        """Raises ValueError, with a sentence for the user: a field holds no such value."""
        since, until = days(self.from_day, self.to_day)
        return Filters(
            actor=self.who or None,
            action=member(Action, self.action),
            kind=member(Kind, self.kind),
            object_id=_number(self.number),
            since=since,
            until=until,
        )


@blueprint.get("/audit")
def audit() -> ResponseReturnValue:
    form = AuditForm.read(request.args)
    page: Page[AuditEntry] = Page([], None)
    error = ""
    try:
        filters = form.filters()
    except ValueError as wrong:
        error = str(wrong)
    else:
        our_audit.saw(Kind.AUDIT_LOG, None, "page")
        with services().database.read() as session:
            page = log.entries(session, filters, cursor=cursor(), limit=ENTRIES_ON_A_PAGE)
    html = render_template(
        "audit.html",
        form=form,
        error=error,
        entries=[(entry, action_words(entry.action), object_url(entry)) for entry in page.items],
        actions={action: action_words(action) for action in Action},
        kinds=list(Kind),
        cursor=cursor(),
        next_cursor=page.next_cursor,
    )
    return html, 400 if error else 200


def action_words(action: str) -> str:
    """'sign_in_failed' -> 'sign in failed'."""
    return action.replace("_", " ")


def object_url(entry: AuditEntry) -> str:
    """Where the thing itself is shown; empty if it has no page."""
    for kind, (endpoint, argument) in PAGES.items():
        if entry.object_kind == kind and entry.object_id is not None:
            values: dict[str, Any] = {argument: entry.object_id}
            return url_for(endpoint, **values)
    return ""


def _number(given: str) -> int | None:
    if not given:
        return None
    if not (given.isascii() and given.isdecimal()) or len(given) > 19 or int(given) > MAX_ID:
        raise ValueError("“Its number” takes digits only, such as 17.")
    return int(given)
