"""How many results came into a list since its page was made: the page offers them, and moves nothing by itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from flask import abort, request
from flask.typing import ResponseReturnValue

from db.listing import images
from web import permissions
from web.auth import user
from web.dependencies import dependencies
from web.pages.base import blueprint
from web.pages.history.form import HistoryForm

MOST = 100
"""More than this are not counted."""


@blueprint.get("/history/news")
def history_news() -> ResponseReturnValue:
    try:
        form = HistoryForm.read(request.args).with_name(request.args)
        filters = replace(form.filters(), user_id=permissions.visible_to(user()))
        since = datetime.fromisoformat(request.args.get("since", ""))
        if since.tzinfo is None:
            raise ValueError("The time of the page has no zone.")
    except ValueError as error:
        abort(400, str(error))
    with dependencies().database.read() as session:
        count = images.count_finished(session, filters, since, most=MOST)
    return {"count": count, "more": count == MOST}
