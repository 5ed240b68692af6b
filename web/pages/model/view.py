"""The card of one model, in plain words."""

from __future__ import annotations

from flask import render_template

from core.errors import NotFound
from db.tables import Model
from web.dependencies import dependencies
from web.pages.base import blueprint
from web.pages.model.card_words import describe


@blueprint.get("/models/<sha256>")
def model(sha256: str) -> str:
    with dependencies().database.read() as session:
        row = session.get(Model, sha256)
    if row is None:
        raise NotFound("No worker of this service has ever used this model.")
    return render_template("model/view.html", model=row, card=describe(row.card))
