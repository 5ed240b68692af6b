"""The worklist in a real Chromium: ticking rows, news that move nothing, times of the reader, work that is told."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.conftest import add_job, new_context, screen, sign_in
from web.backends import Backends

pytestmark = [
    pytest.mark.e2e,
    # werkzeug's server leaves a static file open when the browser moves on before it is sent.
    pytest.mark.filterwarnings("ignore:Exception ignored in. <_io.FileIO:pytest.PytestUnraisableExceptionWarning"),
]


def test_rows_are_ticked_and_assigned_to_oneself(page: Page, backends: Backends) -> None:
    add_job(backends)
    page.goto("/history?sort=suspicion")
    page.get_by_label("Select all images of this page").check()
    expect(page.get_by_text("4 images selected")).to_be_visible()
    page.locator("td.tick input").first.uncheck()
    expect(page.get_by_text("3 images selected")).to_be_visible()
    page.get_by_role("button", name="Assign").click()
    expect(page.get_by_text("3 images assigned to ada.")).to_be_visible()
    page.get_by_role("link", name="Mine, unreviewed").click()
    expect(page.locator("td.tick")).to_have_count(1)  # of the two that are judged, one was not ticked


def test_new_results_are_offered_and_move_no_row(page: Page, backends: Backends) -> None:
    add_job(backends)
    page.goto("/history?sort=suspicion")
    rows = page.locator("tbody tr")
    before = rows.all_inner_texts()
    screen(backends, 1)
    expect(page.get_by_text("1 new result: show")).to_be_visible()
    assert rows.all_inner_texts() == before
    page.get_by_role("link", name="show", exact=True).click()
    expect(page.get_by_text("Pneumonia suspected")).to_have_count(3 + 1)  # the rows, and the filter's word


def test_times_are_those_of_the_reader(chromium: Browser, url: str, backends: Backends) -> None:
    add_job(backends)
    context = new_context(chromium, url, timezone_id="Asia/Tokyo", locale="de-DE")
    page = context.new_page()
    sign_in(page)
    page.goto("/history")
    expect(page.locator("th [data-zone]")).to_have_text("GMT+9")
    moment = page.locator("td time").first
    expected = moment.evaluate("t => new Date(t.dateTime).toLocaleTimeString('de-DE', {timeStyle: 'short'})")
    expect(moment).to_contain_text(expected)
    assert (moment.get_attribute("title") or "").endswith(" UTC")
    context.close()


def test_a_long_deletion_says_that_it_works(page: Page, backends: Backends) -> None:
    add_job(backends)
    page.route("**/jobs/1/delete", lambda route: route.fulfill(status=204))  # the page stays, as before an answer
    page.goto("/jobs/1")
    page.locator("#delete").click()
    button = page.get_by_role("button", name="Delete for good")
    button.click()
    expect(page.get_by_text("Erasing 4 images.")).to_be_visible()
    expect(button).to_be_disabled()
