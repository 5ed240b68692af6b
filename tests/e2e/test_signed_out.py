"""The session ends while somebody works, in a real Chromium: nothing that was typed or chosen is lost or sent twice."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, expect
from sqlalchemy import delete, select

from db.accounts import sessions, users
from db.states import Role
from db.tables import BrowserSession, Image, Job, Review
from tests.conftest import PASSWORD
from tests.e2e.conftest import add_job, new_context, sign_in
from tests.testing import factories
from tests.testing.polling import wait_until
from web.backends import Backends

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.filterwarnings("ignore:Exception ignored in. <_io.FileIO:pytest.PytestUnraisableExceptionWarning"),
]


def end_sessions(backends: Backends) -> None:
    with backends.database.begin() as session:
        session.execute(delete(BrowserSession))


def sent(backends: Backends) -> tuple[int, list[str]]:
    """How many jobs, and the names of all images."""
    with backends.database.read() as session:
        jobs = session.scalars(select(Job.id)).all()
        return len(jobs), list(session.scalars(select(Image.filename).order_by(Image.id)))


def answer_the_sign_in(page: Page, password: str = PASSWORD) -> None:
    """With the keyboard: the name has the focus."""
    expect(page.get_by_label("Name", exact=True)).to_be_focused()
    page.keyboard.press("Control+A")
    page.keyboard.type("ada")
    page.keyboard.press("Tab")
    page.keyboard.type(password)
    page.keyboard.press("Enter")


def test_a_review_typed_in_an_ended_session_is_saved_after_signing_in(page: Page, backends: Backends) -> None:
    add_job(backends, 2)
    page.goto("/images/1")
    page.get_by_role("radio", name="Disagree").check()
    page.get_by_label("Note").fill("Effusion on the left")
    end_sessions(backends)
    page.get_by_role("button", name="Save review").click()
    expect(page.get_by_role("alert")).to_contain_text("what you typed is kept")
    answer_the_sign_in(page)
    expect(page.get_by_text("Nothing is saved yet")).to_be_visible()
    expect(page.get_by_role("radio", name="Disagree")).to_be_checked()
    expect(page.get_by_label("Note")).to_have_value("Effusion on the left")
    page.get_by_role("button", name="Save review").click()
    expect(page.get_by_text("Your review is saved.")).to_be_visible()
    with backends.database.read() as session:
        assert session.scalars(select(Review.note)).all() == ["Effusion on the left"]


def test_a_review_of_before_another_sign_in_is_shown_again(page: Page, backends: Backends) -> None:
    add_job(backends, 2)
    page.goto("/images/1")
    page.get_by_role("radio", name="Unsure").check()
    other = page.context.new_page()
    end_sessions(backends)
    sign_in(other)
    page.get_by_role("button", name="Save review").click()
    expect(page.get_by_text("Nothing is saved yet")).to_be_visible()
    expect(page.get_by_role("radio", name="Unsure")).to_be_checked()
    page.get_by_role("button", name="Save review").click()
    expect(page.get_by_text("Your review is saved.")).to_be_visible()


def end_before(page: Page, backends: Backends, number: int) -> list[int]:
    """Let the session end before the request of that number for images; the statuses that all of them got."""
    statuses: list[int] = []
    asked: list[str] = []

    def on_its_way(route: Route) -> None:
        asked.append(route.request.url)
        if len(asked) == number:
            end_sessions(backends)
        route.continue_()

    page.route("**/api/v1/jobs/*/images", on_its_way)
    page.on("response", lambda r: statuses.append(r.status) if r.url.endswith("/images") else None)
    return statuses


def test_an_upload_goes_on_after_signing_in_in_its_dialog(page: Page, tmp_path: Path, backends: Backends) -> None:
    paths = [tmp_path / f"{i:02d}.png" for i in range(45)]
    for seed, path in enumerate(paths):
        path.write_bytes(factories.png(seed, size_px=(16, 16)))
    statuses = end_before(page, backends, 2)
    page.get_by_label("X-rays to screen").set_input_files(paths)
    page.get_by_role("button", name="Screen", exact=True).click()
    dialog = page.get_by_role("dialog", name="Sign in again")
    expect(dialog).to_contain_text("the files you chose stay here")
    answer_the_sign_in(page, "wrong password")
    expect(dialog.get_by_role("alert")).to_contain_text("Name or password is wrong.")
    answer_the_sign_in(page)
    page.wait_for_url("**/jobs/1")
    assert statuses == [201, 401, 201, 201]
    assert sent(backends) == (1, [path.name for path in paths])


def test_an_upload_goes_on_by_itself_when_another_tab_has_signed_in(
    page: Page, files: list[Path], backends: Backends
) -> None:
    page.get_by_label("X-rays to screen").set_input_files(files[:2])
    end_sessions(backends)
    sign_in(page.context.new_page())
    page.get_by_role("button", name="Screen", exact=True).click()
    page.wait_for_url("**/jobs/1")
    assert len(sent(backends)[1]) == 2


def test_an_upload_that_is_not_signed_in_for_can_be_taken_up_later(
    page: Page, files: list[Path], backends: Backends
) -> None:
    end_before(page, backends, 1)
    page.get_by_label("X-rays to screen").set_input_files(files[:2])
    page.get_by_role("button", name="Screen", exact=True).click()
    page.get_by_role("button", name="Not now").click()
    expect(page.get_by_role("alert")).to_contain_text("You are not signed in.")
    page.get_by_role("button", name="Screen", exact=True).click()
    answer_the_sign_in(page)
    page.wait_for_url("**/jobs/1")
    assert sent(backends)[0] == 1
    assert len(sent(backends)[1]) == 2


def test_a_sign_in_that_is_not_answered_is_tried_again_in_the_dialog(
    page: Page, files: list[Path], backends: Backends
) -> None:
    end_before(page, backends, 1)
    page.route("**/login", lambda route: route.abort(), times=1)
    page.get_by_label("X-rays to screen").set_input_files(files[:2])
    page.get_by_role("button", name="Screen", exact=True).click()
    answer_the_sign_in(page)
    dialog = page.get_by_role("dialog", name="Sign in again")
    expect(dialog.get_by_role("status")).to_have_text("The server does not answer. Wait a little and sign in again.")
    dialog.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/jobs/1")
    assert len(sent(backends)[1]) == 2


def test_a_job_of_somebody_else_is_not_added_to(page: Page, files: list[Path], backends: Backends) -> None:
    """Another clinician signs in at the same desk."""
    with backends.database.begin() as session:
        factories.user(session, "bob", Role.CLINICIAN, PASSWORD)
    end_before(page, backends, 1)
    page.get_by_label("X-rays to screen").set_input_files(files[:2])
    page.get_by_role("button", name="Screen", exact=True).click()
    expect(page.get_by_label("Name", exact=True)).to_be_focused()
    page.keyboard.type("bob")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("may not add images to a job of others")
    assert sent(backends) == (1, [])


def test_a_browser_without_cookies_is_told_so(chromium: Browser, url: str) -> None:
    context = new_context(chromium, url)
    page = context.new_page()
    page.goto("/login")
    context.clear_cookies()
    answer_the_sign_in(page)
    expect(page.get_by_role("alert")).to_contain_text("Your browser sent no cookie")
    context.close()


def test_the_filter_of_the_history_stays_out_of_the_address(
    page: Page, backends: Backends, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    caplog.set_level("INFO", logger="werkzeug")  # other tests have it quiet
    asked: list[str] = []
    page.on("request", lambda r: asked.extend([r.url, r.headers.get("referer", "")]))
    add_job(backends, 2)
    page.goto("/history")
    page.get_by_label("File name contains").fill("very-long")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    expect(page.get_by_label("File name contains")).to_have_value("very-long")
    assert "very-long" not in page.url
    history = page.url
    page.get_by_role("link", name="export_very-long").first.click()
    page.wait_for_url("**/images/*")
    page.go_back()
    page.wait_for_url(history)
    page.reload()
    expect(page.get_by_label("File name contains")).to_have_value("very-long")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download CSV of this selection").click()
    assert "very-long" not in download.value.url
    assert download.value.path().read_text().count("very-long") >= 2
    wait_until(lambda: "POST /history" in caplog.text)  # the lines of the server's access log
    assert "very-long" not in caplog.text + " ".join(asked)


def test_a_password_is_changed_with_the_keyboard(page: Page, backends: Backends) -> None:
    page.goto("/password")
    page.get_by_label("Present password").focus()
    for text in (PASSWORD, "another long password", "another long password"):
        page.keyboard.type(text)
        page.keyboard.press("Tab")
    page.keyboard.press("Space")
    expect(page.get_by_role("checkbox")).to_be_checked()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").first).to_contain_text("1 API token revoked")
    with backends.database.read() as session:
        ada = users.find(session, "ada")
        assert users.check_password(session, "ada", "another long password") is ada
        assert sessions.end_all(session, ada) == 1
