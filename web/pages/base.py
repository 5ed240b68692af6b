"""The blueprint, what every template may use, and what several pages read from a request."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, abort, request
from flask_login import current_user

from services.jobs import MAX_ID
from web import permissions
from web.pages import words

blueprint = Blueprint("pages", __name__)

API_ROOT = "/api/v1"
NOTICE = "A research tool for triage, not a diagnosis. Read the image itself before you decide anything."

NAVIGATION = (
    ("pages.home", "Home", ()),
    ("pages.jobs", "Jobs", ("pages.job", "pages.image")),
    ("pages.history", "History", ()),
    ("pages.status", "Status", ("pages.model",)),
    ("pages.audit", "Audit", ()),
)
"""Endpoint, label, and the endpoints of the pages below it."""

STYLE_SHEETS = (
    "tokens", "base", "frame", "layout", "messages", "forms", "tables", "badges", "progress", "image", "pages",
    "narrow", "modes",
)  # fmt: skip
"""Files in `static/css/`. `tokens` comes first: it sets the order of the layers."""


@blueprint.record_once
def _add_filters(state: Any) -> None:
    state.app.jinja_env.filters.update(words.FILTERS)


@blueprint.app_context_processor
def _common() -> dict[str, Any]:
    """What every template may use. It must not read the database: error pages are shown while that is down."""
    # `current_user` is a proxy, which reads the database only when a template uses it.
    return {
        "navigation": NAVIGATION,
        "style_sheets": STYLE_SHEETS,
        "api_root": API_ROOT,
        "notice": NOTICE,
        "current_user": current_user,
        "may_open": lambda endpoint: permissions.may_open(current_user, endpoint),
    }


def cursor() -> int | None:
    """The key in `?cursor=` after which this page starts. A damaged one ends the request with 400."""
    given = request.args.get("cursor", "")
    if not given:
        return None
    if not (given.isascii() and given.isdecimal()) or len(given) > 19 or int(given) > MAX_ID:
        abort(400, "The link to this page of the list is damaged. Start again from its first page.")
    return int(given)
