"""Saved views of the history: a filter and an order, opened again by their name."""

from __future__ import annotations

from dataclasses import asdict, replace

from flask import abort, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue

from services import saved_views
from services.jobs import MAX_ID
from web.auth import user
from web.dependencies import dependencies
from web.pages.base import blueprint
from web.pages.history.form import HistoryForm


@blueprint.post("/history/views")
def save_view() -> ResponseReturnValue:
    try:
        form = HistoryForm.read(request.form).with_name({"search": request.form.get("search", "")})
        form.filters()
    except ValueError as error:
        abort(400, str(error))
    fields = {name: value for name, value in asdict(replace(form, search="")).items() if value}
    name = request.form.get("name", "")
    saved_views.save(dependencies().database, user().id, name, fields)
    flash("The view is saved.", "good")
    return redirect(url_for("pages.history", **form.query), 303)


@blueprint.get(f"/history/views/<int(max={MAX_ID}):view_id>")
def saved_view(view_id: int) -> ResponseReturnValue:
    fields = saved_views.fields_of(dependencies().database, user().id, view_id)
    return HistoryForm(**fields).show("pages.history")


@blueprint.post(f"/history/views/<int(max={MAX_ID}):view_id>/delete")
def delete_view(view_id: int) -> ResponseReturnValue:
    saved_views.forget(dependencies().database, user().id, view_id)
    flash("The saved view is deleted.", "good")
    return redirect(url_for("pages.history"), 303)
