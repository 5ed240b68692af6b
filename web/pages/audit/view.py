"""The audit log, newest first, narrowed by a filter, of which the address holds all but the name (see `history`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from db import audit as log
from db.audit import Action, Filters, Kind
from db.queries import Page
from db.tables import AuditEntry
from services import searches
from services.jobs import MAX_ID
from web.audit import record_view
from web.auth import user
from web.dependencies import dependencies
from web.pages.base import blueprint, cursor
from web.pages.forms import days, member

ENTRIES_ON_A_PAGE = 100
MAX_ACTOR_CHARS = 64
NAME_IN_ADDRESS = "A name no longer stands in an address, for logs keep those. Press “Filter” to search for it."

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
    search: str = ""

    @classmethod
    def read(cls, fields: Mapping[str, str]) -> AuditForm:
        """From the fields of the form or from an address."""
        given = {name: fields.get(name.removesuffix("_day"), "").strip() for name in cls.__slots__}
        return cls(**given | {"who": given["who"][:MAX_ACTOR_CHARS]})

    @property
    def query(self) -> dict[str, str]:
        """What of the filter stands in the address."""
        given = asdict(self) | {"who": ""}
        return {name.removesuffix("_day"): value for name, value in given.items() if value}

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


@blueprint.post("/audit")
def search_audit() -> ResponseReturnValue:
    """Show what the form asks for: the name is exchanged for a key."""
    form = AuditForm.read(request.form)
    key = searches.keep(dependencies().database, user().id, form.who)[0] if form.who else ""
    values: dict[str, Any] = dict(replace(form, search=key).query)
    return redirect(url_for("pages.audit", **values), 303)


@blueprint.get("/audit")
def audit() -> ResponseReturnValue:
    deps = dependencies()
    form = AuditForm.read(request.args)
    page: Page[AuditEntry] = Page([], None)
    error = ""
    try:
        if "who" in request.args:
            raise ValueError(NAME_IN_ADDRESS)
        if form.search:
            form = replace(form, who=searches.text_of(deps.database, user().id, form.search))
        filters = form.filters()
    except ValueError as wrong:
        error = str(wrong)
    else:
        record_view(deps, Kind.AUDIT_LOG, None, "page")
        with deps.database.read() as session:
            page = log.entries(session, filters, cursor=cursor(), limit=ENTRIES_ON_A_PAGE)
    html = render_template(
        "audit/view.html",
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
