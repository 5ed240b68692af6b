"""Forms that arrived after their session had ended: what the user typed is shown again after the sign-in.

The user reads it and presses the button again. The service never sends it by itself, because another site may have
filled in the form; what another site sent is not even kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from flask import current_app, request, session, url_for
from werkzeug.exceptions import HTTPException

MAX_FORM_BYTES = 16_384
MAX_FIELD_CHARS = 1000
NAMES = frozenset({"filename", "who"})
"""Fields that may hold a person's name, and so never stand in an address."""
PREFIX = "kept-"
"""Of the names of the sign-in form's hidden fields, which hold what was typed."""
_KEY = "kept"


@dataclass(frozen=True, slots=True)
class Form:
    """The page that shows a form, with the same arguments in its address, and the fields that a person fills in."""

    page: str
    fields: tuple[str, ...] = ()


FORMS: Mapping[str, Form] = {
    "pages.review": Form("pages.image", ("opinion", "note")),
    "pages.retry_image": Form("pages.image"),
    "pages.cancel_job": Form("pages.job"),
    "pages.retry_job": Form("pages.job"),
    "pages.delete_job": Form("pages.job"),
    "pages.upload": Form("pages.home"),
    "pages.search_history": Form("pages.history"),
    "pages.save_view": Form("pages.history"),
    "pages.assign_images": Form("pages.history"),
    "pages.export_selection": Form("pages.history"),
    "pages.search_audit": Form("pages.audit"),
    "pages.change_password": Form("pages.password"),
}
"""By the endpoint that a form is sent to."""


def page_of_form() -> str:
    """The address of the page whose form this request sends; the home page if it is none of `FORMS`."""
    form = FORMS.get(request.endpoint or "")
    return url_for(form.page, **(request.view_args or {})) if form else url_for("pages.home")


def typed() -> dict[str, str]:
    """What the user typed into the form that this request sends; empty for files and for a form of another site."""
    return _chosen(FORMS[request.endpoint or ""].fields, request.form) if may_be_kept() else {}


def may_be_kept() -> bool:
    """Whether this request is a form of `FORMS` that one of our own pages sent; its headers alone tell."""
    small = 0 < (request.content_length or 0) <= MAX_FORM_BYTES
    encoded = request.mimetype == "application/x-www-form-urlencoded"
    return request.endpoint in FORMS and small and encoded and same_origin()


def from_sign_in(page: str) -> dict[str, str]:
    """What the sign-in form carries for `page`."""
    given = {name.removeprefix(PREFIX): value for name, value in request.form.items() if name.startswith(PREFIX)}
    endpoint = endpoint_of(page)
    names = (name for form in FORMS.values() if form.page == endpoint for name in form.fields)
    return _chosen(names, given)


def keep(page: str, fields: Mapping[str, str]) -> None:
    """Keep the fields in the session until their form is sent, or another one is kept."""
    session[_KEY] = {"page": page, "fields": dict(fields)}


def fields() -> Mapping[str, str]:
    """What is kept for the page of this request."""
    form = session.get(_KEY, {})
    return form["fields"] if form.get("page") == request.path else {}


def forget(page: str) -> None:
    """Forget what is kept for `page`: its form was sent."""
    if session.get(_KEY, {}).get("page") == page:
        del session[_KEY]


def endpoint_of(path: str) -> str:
    """The endpoint of the page at a path; empty if there is none."""
    try:
        endpoint, _ = current_app.create_url_adapter(request).match(urlsplit(path).path, method="GET")  # type: ignore[union-attr]
    except HTTPException:
        return ""
    return str(endpoint)


def same_origin() -> bool:
    """Whether a page of ours sent this request, as the browser says; over plain HTTP it sends `Origin` alone."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site == "same-origin"
    return urlsplit(request.headers.get("Origin", "")).netloc == request.host


def _chosen(names: Iterable[str], given: Mapping[str, str]) -> dict[str, str]:
    return {name: given[name][:MAX_FIELD_CHARS] for name in names if given.get(name)}
