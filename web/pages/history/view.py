"""The results history, which is the worklist too: every image, with a filter and a choice of orders above it."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urlencode

from flask import render_template, request, url_for
from flask.typing import ResponseReturnValue

from db.audit import Kind
from db.listing.filters import Filters
from db.listing.page import Page
from db.session import now
from db.tables import Image
from services import saved_views
from web import permissions
from web.auth import caller, user
from web.dependencies import dependencies
from web.pages import place
from web.pages.base import API_ROOT, blueprint
from web.pages.history.choices import Choices
from web.pages.history.form import HistoryForm
from web.pages.words import iso

IMAGES_ON_A_PAGE = 50


@blueprint.post("/history")
def search_history() -> ResponseReturnValue:
    return HistoryForm.read(request.form).show("pages.history")


@blueprint.get("/history")
def history() -> ResponseReturnValue:
    deps = dependencies()
    form = HistoryForm.read(request.args)
    owner_id = permissions.visible_to(user())
    page: Page[Image] = Page([], None)
    start: int | None = None
    error, csv_link, news_url = "", "", ""
    with deps.database.read() as session:
        choices = Choices.read(session)
        views = saved_views.views_of(session, user().id)
    try:
        form = form.with_name(request.args)
        filters, sort = form.filters(), form.order
    except ValueError as wrong:
        error = str(wrong)
    else:
        csv_link = csv_url(form, filters)
        deps.view_log.record(caller(), Kind.RESULTS, None, "page", "list")
        with deps.database.read() as session:
            visible = replace(filters, user_id=owner_id)
            news_url = url_for("pages.history_news", **form.query, since=now(session).isoformat())
            page, start = place.page_here(session, visible, sort, IMAGES_ON_A_PAGE)
    html = render_template(
        "history/view.html",
        form=form,
        error=error,
        csv_url=csv_link,
        images=page.items,
        choices=choices,
        views=views,
        may_assign=permissions.may_open(user(), "pages.assign_images"),
        news_url=news_url,
        list_query={"list": place.HISTORY, **form.query},
        cursor=start,
        next_cursor=page.next_cursor,
        everybody=owner_id is None,
    )
    return html, 400 if error else 200


def csv_url(form: HistoryForm, filters: Filters) -> str:
    """The address of the API's CSV file of the same images; its `to` is exclusive."""
    query = {
        "format": "csv",
        "search": form.search,
        "from": filters.since and iso(filters.since),
        "to": filters.until and iso(filters.until),
        "reviewer": filters.reviewer_id,
        "assignee": filters.assignee_id,
        "job": filters.job_id,
        "sort": form.sort,
    }
    same = ("decision", "view", "state", "least", "most", "reviewed", "opinion", "model")
    query |= {name: getattr(filters, name) for name in same}
    return f"{API_ROOT}/results?{urlencode({name: value for name, value in query.items() if value not in (None, '')})}"
