"""What a person does with the keyboard alone, in a real Chromium; each stop on the way shows where it is."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from sqlalchemy import select

from db import claims, outcomes
from db.accounts import throttle
from db.session import now
from db.states import ImageState, Opinion
from db.tables import Image, Review
from tests.conftest import PASSWORD
from tests.e2e.conftest import add_job, new_context, screen
from web.backends import Backends

pytestmark = [
    pytest.mark.e2e,
    # werkzeug's server leaves a static file open when the browser moves on before it is sent.
    pytest.mark.filterwarnings("ignore:Exception ignored in. <_io.FileIO:pytest.PytestUnraisableExceptionWarning"),
]

MOST_STOPS = 40
RINGED = """() => {
    const e = document.activeElement;
    const ringed = (x) => {
        const style = x && getComputedStyle(x);
        return style?.outlineStyle === "solid" && parseFloat(style.outlineWidth) >= 2;
    };
    return Boolean(ringed(e) || ringed(e.closest(".choice"))) || e.outerHTML;
}"""


def tab_to(page: Page, target: Locator) -> None:
    """Press Tab until `target` has the focus; every stop on the way shows where it is."""
    for _ in range(MOST_STOPS):
        page.keyboard.press("Tab")
        assert page.evaluate(RINGED) is True
        if target.evaluate("element => element === document.activeElement"):
            return
    raise AssertionError(f"{target} is not reached within {MOST_STOPS} stops")


def fail_all(backends: Backends) -> None:
    """What a worker does to every queued image that it cannot read."""
    with backends.database.begin() as session:
        at = now(session)
        for claim in claims.claim(session, worker="w", limit=100, lease_s=60, now=at):
            failed = outcomes.Failed(claim, "storage_unavailable", "The image storage did not answer.", transient=False)
            outcomes.fail(session, failed, worker="w", max_attempts=3, now=at)


def try_to_sign_in(page: Page, password: str) -> None:
    """The name has the focus when the page opens."""
    expect(page.get_by_label("Name")).to_be_focused()
    page.keyboard.press("Control+A")
    page.keyboard.type("ada")
    page.keyboard.press("Tab")
    page.keyboard.type(password)
    with page.expect_navigation():
        page.keyboard.press("Enter")


def test_a_result_is_reviewed(page: Page, backends: Backends) -> None:
    add_job(backends, 2)
    page.goto("/jobs/1")
    tab_to(page, page.locator('tbody a[href="/images/1"]'))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Pneumonia suspected")).to_be_visible()
    tab_to(page, page.get_by_role("radio", name="Agree", exact=True))
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("radio", name="Disagree")).to_be_checked()
    tab_to(page, page.get_by_label("Note"))
    page.keyboard.type("Atelectasis, I think.")
    tab_to(page, page.get_by_role("button", name="Save review"))
    page.keyboard.press("Enter")
    expect(page.get_by_text("Your review is saved.")).to_be_visible()
    expect(page.get_by_text("Atelectasis, I think.")).to_be_visible()
    with backends.database.read() as session:
        assert [(said.opinion, said.user_id) for said in session.scalars(select(Review))] == [(Opinion.DISAGREE, 1)]


def test_a_failed_image_is_retried_and_its_result_appears(page: Page, backends: Backends) -> None:
    add_job(backends, 2)
    fail_all(backends)
    page.goto("/images/2")
    expect(page.get_by_text("Once the storage works again, retry it.")).to_be_visible()
    tab_to(page, page.get_by_role("button", name="Retry this image"))
    page.keyboard.press("Enter")
    expect(page.get_by_text("The image is queued again.")).to_be_visible()
    expect(page.get_by_role("button", name="Retry this image")).to_have_count(0)
    screen(backends, 1, probability=0.1)
    expect(page.get_by_role("heading", name="Pneumonia not suspected")).to_be_visible()


def test_all_failed_images_of_a_job_are_retried(page: Page, backends: Backends) -> None:
    add_job(backends, 6)
    fail_all(backends)
    page.goto("/jobs/1")
    tab_to(page, page.get_by_role("button", name="Retry 3 failed"))
    page.keyboard.press("Enter")
    expect(page.get_by_text("3 images queued again.")).to_be_visible()
    with backends.database.read() as session:
        states = session.scalars(select(Image.state).order_by(Image.id)).all()
    assert states == [ImageState.DONE] * 3 + [ImageState.QUEUED] * 3


def test_a_job_is_deleted_only_after_a_question(page: Page, backends: Backends) -> None:
    add_job(backends, 2)
    page.goto("/jobs/1")
    tab_to(page, page.locator("#delete"))
    page.keyboard.press("Enter")
    button = page.get_by_role("button", name="Delete for good")
    expect(button).to_be_visible()
    page.keyboard.press("Enter")
    expect(button).to_be_hidden()
    page.keyboard.press("Enter")
    tab_to(page, button)
    page.keyboard.press("Enter")
    page.wait_for_url("**/jobs")
    expect(page.get_by_text("Job 1 deleted with 2 images, their results and their reviews.")).to_be_visible()
    expect(page.get_by_text("No jobs yet.")).to_be_visible()
    with backends.database.read() as session:
        assert session.scalars(select(Image.id)).all() == []


def test_one_question_at_a_time_and_all_of_it_on_a_phone(page: Page, backends: Backends) -> None:
    add_job(backends, 4)
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto("/jobs/1")
    for name in ("cancel", "delete"):
        tab_to(page, page.locator(f"#{name}"))
        page.keyboard.press("Enter")
        box = page.locator("details[open] .confirm-body").bounding_box()
        assert box is not None
        assert 0 <= box["x"] < box["x"] + box["width"] <= 390


def test_a_throttled_sign_in_says_how_long_to_wait(chromium: Browser, url: str, backends: Backends) -> None:
    context = new_context(chromium, url)
    page = context.new_page()
    page.goto("/login")
    for _ in range(throttle.PER_NAME_AND_ADDRESS.failures):
        try_to_sign_in(page, "wrong")
        expect(page.get_by_role("alert")).to_have_text("Name or password is wrong. Check both and try again.")
    try_to_sign_in(page, PASSWORD)
    expect(page.get_by_role("alert")).to_have_text(re.compile(r"Too many failed sign-ins\. Wait 1[45] minutes"))
    context.close()


def test_the_keyboard_signs_in_and_out(chromium: Browser, url: str, backends: Backends) -> None:
    context = new_context(chromium, url)
    page = context.new_page()
    page.goto("/history")
    try_to_sign_in(page, PASSWORD)
    expect(page.get_by_role("heading", level=1)).to_have_text("History")
    tab_to(page, page.get_by_role("button", name="Sign out"))
    page.keyboard.press("Enter")
    page.wait_for_url("**/login")
    context.close()
