"""What was typed when the session ended goes through the sign-in and is shown again, to be sent by a person."""

from __future__ import annotations

import pytest
from sqlalchemy import delete, select

from db.states import ImageState
from db.tables import BrowserSession, Image, Review
from tests.conftest import PASSWORD
from tests.unit.web.conftest import AddJob
from tests.unit.web.visitor import Page, Visitor
from web.backends import Backends

NOTE = "Effusion? <b>left</b>"
TYPED = {"opinion": "disagree", "note": NOTE}


@pytest.fixture
def reading(reader: Visitor, add_job: AddJob) -> Visitor:
    """`ada` in front of a result, with a browser that says where a form comes from."""
    add_job(("a.png", 0.9), ("b.png", ImageState.FAILED))
    reader.client.environ_base["HTTP_ORIGIN"] = "http://localhost"
    reader.get("/images/1")
    return reader


def end_sessions(backends: Backends) -> None:
    with backends.database.begin() as database:
        database.execute(delete(BrowserSession))


def fill_in(page: Page) -> dict[str, str]:
    """The hidden fields of a sign-in page, with name and password."""
    hidden = {field["name"]: field["value"] for field in page.all("input") if field.get("type") == "hidden"}
    return hidden | {"name": "ada", "password": PASSWORD}


def filled_review(page: Page) -> tuple[list[str], bool]:
    checked = [field["value"] for field in page.all("input") if field.get("name") == "opinion" and "checked" in field]
    return checked, NOTE in page.text


def reviews(backends: Backends) -> list[str]:
    with backends.database.read() as database:
        return list(database.scalars(select(Review.note)))


def test_a_review_survives_the_end_of_its_session(reading: Visitor, backends: Backends) -> None:
    end_sessions(backends)
    page = reading.post("/images/1/review", TYPED)
    assert (page.status, "what you typed is kept" in page.text) == (401, True)
    assert not page.all("b")
    wrong = reading.post("/login", fill_in(page) | {"password": "wrong"})
    assert wrong.status == 401
    back = reading.post("/login", fill_in(wrong))
    assert (back.status, back.location) == (303, "/images/1")
    shown = reading.get("/images/1")
    assert "Nothing is saved yet" in shown.text
    assert filled_review(shown) == (["disagree"], True)
    assert reviews(backends) == []
    assert reading.post("/images/1/review", TYPED).status == 303
    assert reviews(backends) == [NOTE]
    assert filled_review(reading.get("/images/1"))[0] == []


def test_a_review_of_an_ended_session_is_shown_again_when_somebody_has_signed_in_anew(
    reading: Visitor, backends: Backends
) -> None:
    old = reading.csrf_token
    end_sessions(backends)
    reading.sign_in("ada", PASSWORD)
    page = reading.post("/images/1/review", TYPED | {"csrf_token": old})
    assert (page.status, page.location) == (303, "/images/1")
    shown = reading.get("/images/1")
    assert "Nothing is saved yet" in shown.text
    assert filled_review(shown) == (["disagree"], True)
    assert reviews(backends) == []


@pytest.mark.parametrize("signed_in", [True, False])
@pytest.mark.parametrize(
    "headers",
    [
        {"HTTP_ORIGIN": "https://evil.example"},
        {"HTTP_ORIGIN": "null"},
        {"HTTP_ORIGIN": ""},
        {"HTTP_ORIGIN": "http://localhost", "HTTP_SEC_FETCH_SITE": "cross-site"},
        {"HTTP_ORIGIN": "http://localhost", "HTTP_SEC_FETCH_SITE": "same-site"},
    ],
)
def test_what_another_site_sent_is_not_kept(
    reading: Visitor, backends: Backends, headers: dict[str, str], signed_in: bool
) -> None:
    reading.client.environ_base.update(headers)
    if not signed_in:
        end_sessions(backends)
    page = reading.post("/images/1/review", TYPED | {"csrf_token": "forged"})
    assert page.status == (400 if signed_in else 401)
    assert "Effusion" not in page.html
    if signed_in:
        assert filled_review(reading.get("/images/1")) == ([], False)


@pytest.mark.parametrize(
    ("path", "page"),
    [
        ("/images/2/retry", "/images/2"),
        ("/jobs/1/cancel", "/jobs/1"),
        ("/jobs/1/retry", "/jobs/1"),
        ("/jobs/1/delete", "/jobs/1"),
        ("/history", "/history"),
        ("/audit", "/audit"),
        ("/password", "/password"),
        ("/", "/"),
        ("/logout", "/"),
    ],
)
def test_whatever_was_sent_the_sign_in_leads_to_its_page_and_nothing_is_done(
    reading: Visitor, backends: Backends, path: str, page: str
) -> None:
    end_sessions(backends)
    refused = reading.post(path, {})
    assert refused.status == 401
    back = reading.post("/login", fill_in(refused))
    assert (back.status, back.location) == (303, page)
    assert reading.get(back.location).status == 200
    with backends.database.read() as database:
        assert database.scalars(select(Image.state).order_by(Image.id)).all() == [ImageState.DONE, ImageState.FAILED]


def test_files_are_asked_for_again_and_not_read(
    reading: Visitor, backends: Backends, monkeypatch: pytest.MonkeyPatch
) -> None:
    end_sessions(backends)
    monkeypatch.setattr(type(backends.store), "spool", lambda *_: pytest.fail("bytes of a stranger were stored"))
    page = reading.post("/", {"name": "ward"}, [("a.png", b"x")])
    assert (page.status, "choose the files again" in page.text) == (401, True)


def test_a_filter_stands_in_no_address_after_the_sign_in(reading: Visitor, backends: Backends) -> None:
    end_sessions(backends)
    page = reading.post("/history", {"filename": "mustermann", "state": "done"})
    back = reading.post("/login", fill_in(page))
    assert "mustermann" not in page.html + back.location


def test_what_is_kept_for_one_image_outlives_the_review_of_another(
    reading: Visitor, add_job: AddJob, backends: Backends
) -> None:
    add_job(("c.png", 0.9))
    end_sessions(backends)
    reading.post("/login", fill_in(reading.post("/images/1/review", TYPED)))
    reading.get("/images/3")
    assert reading.post("/images/3/review", {"opinion": "agree"}).status == 303
    assert filled_review(reading.get("/images/3")) == ([], False)
    assert filled_review(reading.get("/images/1")) == (["disagree"], True)


def test_a_password_is_never_kept(reading: Visitor, backends: Backends) -> None:
    end_sessions(backends)
    fields = {"present": PASSWORD, "new": "a secret to come", "again": "a secret to come"}
    page = reading.post("/password", fields)
    assert "a secret to come" not in page.html
    assert PASSWORD not in page.html


def test_a_sign_in_form_carries_only_what_its_page_has(reading: Visitor, backends: Backends) -> None:
    end_sessions(backends)
    reading.get("/login")
    reading.post("/login", {"name": "ada", "password": PASSWORD, "next": "/jobs/1", "kept-note": "planted"})
    with backends.database.read() as database:
        assert database.scalars(select(BrowserSession.data)).one() == {}


def test_a_large_form_is_not_kept(reading: Visitor, backends: Backends) -> None:
    end_sessions(backends)
    page = reading.post("/images/1/review", TYPED | {"filler": "x" * 20_000})
    assert page.status == 401
    assert "Effusion" not in page.html


@pytest.mark.parametrize("target", ["/images/1/review", "/logout", "/jobs/1/cancel", "/login", "/nothing"])
def test_the_sign_in_leads_to_no_address_that_only_takes_forms(stranger: Visitor, target: str) -> None:
    assert stranger.sign_in("ada", PASSWORD, target).location == "/"
