"""The audit log, newest first, with a filter above it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from flask import render_template, request, url_for
from flask.typing import ResponseReturnValue

from db import audit as log
from db.audit import Action, Filters, Kind
from db.listing.page import Page
from db.tables import AuditEntry
from services.jobs import MAX_ID
from web.auth import caller
from web.dependencies import dependencies
from web.pages.base import blueprint, cursor
from web.pages.filter_form import FilterForm, member

ENTRIES_ON_A_PAGE = 100
MAX_ACTOR_CHARS = 64

PAGES = {Kind.JOB: ("pages.job", "job_id"), Kind.IMAGE: ("pages.image", "image_id")}
"""What has a page of its own, unless it is deleted: its endpoint, and the argument that takes its number."""


@dataclass(frozen=True, slots=True)
class AuditForm(FilterForm):
    """The filter of the audit log as typed."""

    name_field: ClassVar[str] = "who"
    name_words: ClassVar[str] = "A name"

    who: str = ""
    action: str = ""
    kind: str = ""
    number: str = ""

    @staticmethod
    def clean_name(text: str) -> str:
        return text[:MAX_ACTOR_CHARS]

    def filters(self) -> Filters:
        """Raises ValueError, with a sentence for the user: a field holds no such value."""
        since, until = self.days
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
    return AuditForm.read(request.form).show("pages.audit")


@blueprint.get("/audit")
def audit() -> ResponseReturnValue:
    deps = dependencies()
    form = AuditForm.read(request.args)
    page: Page[AuditEntry] = Page([], None)
    error = ""
    try:
        form = form.with_name(request.args)
        filters = form.filters()
    except ValueError as wrong:
        error = str(wrong)
    else:
        deps.view_log.record(caller(), Kind.AUDIT_LOG, None, "page")
        with deps.database.read() as session:
            page = log.entries(session, filters, cursor=cursor(), limit=ENTRIES_ON_A_PAGE)
    html = render_template(
        "audit/view.html",
        form=form,
        error=error,
        entries=[(entry, action_words(entry.action), object_url(entry)) for entry in page.items],
        actions={action: action_words(action) for action in Action},
        kinds={kind: kind for kind in Kind},
        cursor=cursor(),
        next_cursor=page.next_cursor,
    )
    return html, 400 if error else 200


def action_words(action: str) -> str:
    """'sign_in_failed' -> 'sign in failed'."""
    return action.replace("_", " ")


def object_url(entry: AuditEntry) -> str:
    """The address of the page of what the entry is about; empty if it has no page."""
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
