"""A session lives on the server: its cookie holds an id, copies die with it, and nothing in flight brings it back."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from flask import Flask, flash
from flask.testing import FlaskClient
from sqlalchemy import event, select, update
from sqlalchemy.orm import Session

from db.accounts import users
from db.session import now
from db.tables import BrowserSession, User
from tests.conftest import PASSWORD
from tests.testing.settings import change
from tests.unit.web.visitor import Visitor
from web.app import create_app
from web.backends import Backends


def cookie(client: FlaskClient) -> str:
    stored = client.get_cookie("session")
    return stored.value if stored else ""


def copy_of(client: FlaskClient) -> FlaskClient:
    """Another browser with the same cookie."""
    other = client.application.test_client()
    other.set_cookie("session", cookie(client))
    return other


def signed_in(client: FlaskClient) -> bool:
    return client.get("/api/v1/whoami").status_code == 200


def rows(backends: Backends) -> list[BrowserSession]:
    with backends.database.read() as database:
        return list(database.scalars(select(BrowserSession)))


def age(backends: Backends, hours: float, *columns: str) -> None:
    """Move these times of all sessions back."""
    with backends.database.begin() as database:
        for row in database.scalars(select(BrowserSession)):
            for column in columns:
                setattr(row, column, getattr(row, column) - timedelta(hours=hours))


def test_the_cookie_holds_an_id_and_nothing_else(reader: Visitor, backends: Backends) -> None:
    assert len(cookie(reader.client)) == 43
    assert cookie(reader.client) not in str([vars(row) for row in rows(backends)])


def test_signing_out_ends_copies_of_the_cookie_too(reader: Visitor, backends: Backends) -> None:
    thief = copy_of(reader.client)
    assert signed_in(thief)
    reader.post("/logout", {})
    assert not signed_in(thief)
    assert cookie(reader.client) == ""
    assert rows(backends) == []


def test_an_answer_in_flight_brings_no_session_back(reader: Visitor, app: Flask, backends: Backends) -> None:
    """Its request was signed in when it came; the sign-out is finished before its answer goes out."""
    in_flight = copy_of(reader.client)

    def sign_out() -> str:
        reader.post("/logout", {})
        flash("late", "good")
        return "late"

    app.view_functions["pages.home"] = sign_out
    response = in_flight.get("/")
    assert response.status_code == 200
    assert "Set-Cookie" not in response.headers
    assert not signed_in(in_flight)
    assert rows(backends) == []


@pytest.mark.parametrize("path", ["/", "/history", "/api/v1/jobs", "/nothing", "/healthz"])
def test_no_answer_but_that_of_a_sign_in_sets_the_cookie_again(reader: Visitor, path: str) -> None:
    assert "Set-Cookie" not in reader.client.get(path).headers


def test_a_stranger_gets_a_cookie_with_a_form_alone_and_no_row(browser: FlaskClient, backends: Backends) -> None:
    assert "Set-Cookie" not in browser.get("/healthz").headers
    assert "Set-Cookie" not in browser.get("/jobs").headers
    assert "Set-Cookie" in browser.get("/login").headers
    assert "Set-Cookie" not in browser.get("/login").headers
    assert rows(backends) == []


def test_signing_in_gives_a_new_id(stranger: Visitor) -> None:
    stranger.get("/login")
    planted = copy_of(stranger.client)
    stranger.sign_in("ada", PASSWORD)
    assert signed_in(stranger.client)
    assert not signed_in(planted)


def test_signing_in_again_ends_the_session_of_before(reader: Visitor, backends: Backends) -> None:
    before = copy_of(reader.client)
    reader.post("/login", {"name": "ada", "password": PASSWORD})
    assert signed_in(reader.client)
    assert not signed_in(before)
    assert len(rows(backends)) == 1


def test_a_session_that_is_not_used_ends(reader: Visitor, backends: Backends) -> None:
    age(backends, 11.9, "seen_at")
    assert signed_in(reader.client)
    age(backends, 12.1, "seen_at")
    assert not signed_in(reader.client)


def test_a_session_ends_in_any_case(reader: Visitor, backends: Backends) -> None:
    age(backends, 24.1, "created_at", "expires_at")
    assert not signed_in(reader.client)


def test_reading_writes_the_session_once_a_minute_at_most(reader: Visitor, backends: Backends) -> None:
    written: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        if statement.startswith("UPDATE sessions"):
            written.append(statement)

    event.listen(backends.database.engine, "before_cursor_execute", note)
    for _ in range(5):
        reader.get("/jobs")
    assert written == []
    age(backends, 0.05, "seen_at")
    written.clear()
    for _ in range(5):
        reader.get("/jobs")
    assert len(written) == 1


def test_a_page_that_renews_itself_does_not_keep_a_session_alive(reader: Visitor, backends: Backends) -> None:
    age(backends, 1, "seen_at")
    before = rows(backends)[0].seen_at
    reader.client.get("/jobs", headers={"X-Unattended": "1"})
    assert rows(backends)[0].seen_at == before
    reader.client.get("/jobs")
    assert rows(backends)[0].seen_at > before


def test_a_new_password_ends_all_sessions(reader: Visitor, backends: Backends) -> None:
    with backends.database.begin() as database:
        users.set_password(database, users.find(database, "ada"), "another long password")
    assert not signed_in(reader.client)


@pytest.mark.parametrize("change", ["password", "disable"])
def test_a_sign_in_in_flight_does_not_outlive_the_change_of_its_password(
    stranger: Visitor, backends: Backends, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    check = users.check_password

    def slowly(database: Session, name: str, password: str) -> User | None:
        user = check(database, name, password)
        with backends.database.begin() as other:
            if change == "password":
                users.set_password(other, users.find(other, "ada"), "another long password")
            else:
                users.disable(other, users.find(other, "ada"), now(other))
        return user

    monkeypatch.setattr(users, "check_password", slowly)
    assert stranger.sign_in("ada", PASSWORD).status == 401
    assert rows(backends) == []


def test_messages_live_in_the_session_and_are_shown_once(reader: Visitor, backends: Backends) -> None:
    reader.post("/", {"name": "x"}, [("a.txt", b"text")])
    with backends.database.begin() as database:
        database.execute(update(BrowserSession).values(data={"_flashes": [["good", "It worked."]]}))
    assert "It worked." in reader.get("/jobs").text
    assert "It worked." not in reader.get("/jobs").text


def test_a_browser_without_cookies_is_told_so(app: Flask, token: str) -> None:
    blocked = Visitor(app.test_client(use_cookies=False))
    page = blocked.sign_in("ada", PASSWORD, "/jobs")
    assert page.status == 400
    assert "Your browser sent no cookie" in page.text
    assert "https://" not in page.text
    assert [field["value"] for field in page.all("input") if field["name"] in ("name", "next")] == ["/jobs", "ada"]
    assert PASSWORD not in page.html
    assert token


def test_where_https_is_demanded_it_says_that(backends: Backends, token: str) -> None:
    secure = replace(backends, settings=change(backends.settings, cookie_secure=True))
    page = Visitor(create_app(secure.settings, secure).test_client(use_cookies=False)).sign_in("ada", PASSWORD)
    assert (page.status, "open its address with https:// in front" in page.text) == (400, True)
    assert token


def test_a_sign_in_page_of_before_another_sign_in_is_shown_again(stranger: Visitor) -> None:
    stranger.get("/login")
    page = stranger.post("/login", {"csrf_token": "old", "name": "ada", "password": PASSWORD, "next": "/jobs"})
    assert (page.status, "Sign in now." in page.text) == (400, True)
    stranger.csrf_token = next(m["content"] for m in page.all("meta") if m.get("name") == "csrf-token")
    assert stranger.post("/login", {"name": "ada", "password": PASSWORD}).status == 303
