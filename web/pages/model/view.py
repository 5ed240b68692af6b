"""The card of one model, in plain words."""

from __future__ import annotations

from flask import abort, render_template

from db.tables import Model
from web.pages.base import blueprint
from web.pages.model.card_words import describe
from web.services import services


@blueprint.get("/models/<sha256>")
def model(sha256: str) -> str:
    with services().database.read() as session:
        found = session.get(Model, sha256)
    if found is None:
        abort(404, "No worker of this service has ever used this model.")
    return render_template("model/view.html", model=found, card=describe(found.card))
