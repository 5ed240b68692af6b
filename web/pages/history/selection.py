"""What is done to images that were selected on the history page: to some of a page, or to all that its filter matches.

Without scripts too: each row has a checkbox, and the form says whether it is for those or for all.
"""

from __future__ import annotations

from dataclasses import replace

from flask import abort, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue

from core.plural import counted
from db.listing.filters import Filters
from services import assignment
from services.jobs import MAX_ID
from web import csv_export, json_export, permissions
from web.auth import caller, user
from web.dependencies import dependencies
from web.pages.base import blueprint
from web.pages.history.choices import Choices
from web.pages.history.form import HistoryForm

ALL = "all"
MAX_SELECTED = 500
"""Images that may be named one by one; a page has fewer."""


@blueprint.post("/history/assign")
def assign_images() -> ResponseReturnValue:
    deps = dependencies()
    form, filters = _selected()
    with deps.database.read() as session:
        readers = Choices.read(session).assignable
    whom = request.form.get("reader", "")
    if whom and whom not in readers:
        abort(400, "Choose from the list whom to assign the images to.")
    assigned = assignment.assign(deps.database, caller(), filters, int(whom) if whom else None)
    flash(f"{counted(assigned, 'image')} assigned to {readers[whom] if whom else 'nobody'}.", "good")
    return redirect(url_for("pages.history", **form.query), 303)


@blueprint.post("/history/export")
def export_selection() -> ResponseReturnValue:
    form, filters = _selected()
    if request.form.get("format") == "json":
        return json_export.response(dependencies().database, filters, "results.json", form.order)
    return csv_export.response(dependencies().database, filters, "results.csv", form.order)


def _selected() -> tuple[HistoryForm, Filters]:
    """The filter of the page, and the images that this form is for. A form that names none ends with 400."""
    try:
        form = HistoryForm.read(request.form).with_name({"search": request.form.get("search", "")})
        filters = replace(form.filters(), user_id=permissions.visible_to(user()))
    except ValueError as error:
        abort(400, str(error))
    if request.form.get("scope") == ALL:
        return form, filters
    given = request.form.getlist("image")
    ids = tuple(int(text) for text in given if text.isascii() and text.isdecimal() and int(text[:20]) <= MAX_ID)
    if not ids or len(ids) != len(given) or len(ids) > MAX_SELECTED:
        abort(400, "No image is selected: go back and tick some, or choose all that match.")
    return form, Filters(ids=ids, user_id=filters.user_id)
