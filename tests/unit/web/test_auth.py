"""Nobody unknown gets anything but health, the sign-in page and its stylesheet."""

from __future__ import annotations

import io

import pytest
from flask import Flask
from flask.testing import FlaskClient
from itsdangerous import URLSafeTimedSerializer

from db.accounts import users
from db.session import now
from tests.conftest import PASSWORD
from tests.testing import factories
from tests.unit.web.visitor import Visitor
from web.backends import Backends


def whoami(app: Flask, authorization: str | None) -> int:
    headers = {"Authorization": authorization} if authorization is not None else {}
    return app.test_client().get("/api/v1/whoami", headers=headers).status_code


def test_without_a_token_the_api_is_401_and_says_how_to_get_one(browser: FlaskClient) -> None:
    response = browser.get("/api/v1/whoami")
    assert (response.status_code, response.mimetype) == (401, "application/problem+json")
    assert response.headers["WWW-Authenticate"] == "Bearer"
    assert "pneumoscreen token create" in response.get_json()["detail"]


@pytest.mark.parametrize("value", ["Bearer ", "Bearer wrong", "Basic YWRhOmFkYQ==", "", "bearer", "Bearer\x7f"])
def test_anything_but_a_token_of_ours_is_401(app: Flask, token: str, value: str) -> None:
    assert whoami(app, value) == 401
    assert whoami(app, f"Bearer {token}") == 200


def test_a_token_with_a_wrong_end_is_401(app: Flask, token: str) -> None:
    assert whoami(app, f"Bearer {token}x") == 401
    assert whoami(app, f"Bearer {token[:-1]}") == 401


def test_an_expired_token_is_401(app: Flask, backends: Backends) -> None:
    with backends.database.begin() as session:
        expired = users.create_token(session, factories.user(session), now=now(session), days=-1)
    assert whoami(app, f"Bearer {expired}") == 401


def test_the_token_of_a_disabled_user_is_401(app: Flask, backends: Backends, token: str) -> None:
    with backends.database.begin() as session:
        users.find(session, "ada").disabled_at = now(session)
    assert whoami(app, f"Bearer {token}") == 401


def test_a_revoked_token_is_401(app: Flask, backends: Backends, token: str) -> None:
    with backends.database.begin() as session:
        users.revoke_tokens(session, users.find(session, "ada"))
    assert whoami(app, f"Bearer {token}") == 401


def test_a_stranger_on_a_page_is_sent_to_sign_in_and_back(browser: FlaskClient) -> None:
    response = browser.get("/history?state=done")
    assert response.status_code == 302
    assert response.headers["Location"] == "/login?next=/history?state%3Ddone"


def csrf_token(client: FlaskClient) -> str:
    visitor = Visitor(client)
    visitor.get("/jobs")
    return visitor.csrf_token


@pytest.fixture
def signed_in(reader: Visitor) -> FlaskClient:
    return reader.client


def test_a_session_may_read_the_api(signed_in: FlaskClient) -> None:
    assert signed_in.get("/api/v1/whoami").get_json()["name"] == "ada"


def test_a_session_may_not_change_anything_without_the_csrf_token(signed_in: FlaskClient) -> None:
    response = signed_in.post("/api/v1/jobs", json={"name": "forged"})
    assert (response.status_code, response.get_json()["code"]) == (400, "stale_form")
    assert signed_in.get("/api/v1/jobs").get_json()["items"] == []


def test_a_session_with_the_csrf_token_in_a_header_may(signed_in: FlaskClient) -> None:
    headers = {"X-CSRFToken": csrf_token(signed_in)}
    assert signed_in.post("/api/v1/jobs", json={"name": "mine"}, headers=headers).status_code == 201


def test_a_csrf_token_signed_with_another_key_is_refused(app: Flask, signed_in: FlaskClient) -> None:
    secret = URLSafeTimedSerializer(str(app.secret_key), salt="wtf-csrf-token").loads(csrf_token(signed_in))
    forged = URLSafeTimedSerializer("another key", salt="wtf-csrf-token").dumps(secret)
    response = signed_in.post("/api/v1/jobs", json={}, headers={"X-CSRFToken": str(forged)})
    assert response.status_code == 400


JUNK = ["Bearer ", "Bearer junk", "Bearer pns_junk", "bearer x", "Basic YWRhOmFkYQ==", "Negotiate abc", ""]


@pytest.mark.parametrize("value", JUNK)
def test_a_header_that_is_no_token_does_not_stand_for_the_csrf_token(signed_in: FlaskClient, value: str) -> None:
    response = signed_in.post("/api/v1/jobs", json={"name": "forged"}, headers={"Authorization": value})
    assert (response.status_code, response.get_json()["code"]) == (400, "stale_form")
    assert signed_in.get("/api/v1/jobs", headers={"Authorization": value}).get_json()["items"] == []
    page = signed_in.post("/logout", headers={"Authorization": value})
    assert page.status_code == 400


def test_a_token_counts_before_the_cookie_beside_it(signed_in: FlaskClient, backends: Backends) -> None:
    with backends.database.begin() as session:
        other = users.create_token(session, factories.user(session, "bob"), now=now(session))
    headers = {"Authorization": f"Bearer {other}"}
    assert signed_in.get("/api/v1/whoami", headers=headers).get_json()["name"] == "bob"
    assert signed_in.post("/api/v1/jobs", json={"name": "mine"}, headers=headers).status_code == 201


def test_a_wrong_csrf_token_in_a_header_is_refused_before_the_body_is_read(
    signed_in: FlaskClient, backends: Backends, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(backends.store), "spool", lambda *_: pytest.fail("bytes were stored"))
    body = {"file": (io.BytesIO(factories.png()), "x.png")}
    assert signed_in.post("/api/v1/images", data=body, headers={"X-CSRFToken": "forged"}).status_code == 400


def test_a_stranger_who_posts_is_asked_to_sign_in_before_anything_is_read(
    browser: FlaskClient, backends: Backends, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spool(*_: object) -> None:
        pytest.fail("bytes of a stranger were stored")

    monkeypatch.setattr(type(backends.store), "spool", spool)
    response = browser.post("/api/v1/images", data={"file": (io.BytesIO(factories.png()), "x.png")})
    assert response.status_code == 401


def test_signing_in_is_protected_against_forgery_too(browser: FlaskClient) -> None:
    response = browser.post("/login", data={"name": "ada", "password": PASSWORD})
    assert response.status_code == 400


def test_a_disabled_user_is_nobody_even_while_the_session_has_a_row(signed_in: FlaskClient, backends: Backends) -> None:
    with backends.database.begin() as session:
        users.find(session, "ada").disabled_at = now(session)
    assert signed_in.get("/api/v1/whoami").status_code == 401


@pytest.mark.parametrize("value", ["", "x", "1.0123456789abcdef", "." * 43, "a" * 43, "a" * 44, "é" * 43, "a" * 3000])
def test_a_cookie_that_names_no_session_of_ours_is_nobody(app: Flask, token: str, value: str) -> None:
    client = app.test_client()
    client.set_cookie("session", value)
    assert client.get("/api/v1/whoami").status_code == 401
    assert whoami(app, f"Bearer {token}") == 200


def test_the_session_cookie_is_closed_to_scripts_and_other_sites(signed_in: FlaskClient, app: Flask) -> None:
    stored = signed_in.get_cookie("session")
    assert stored is not None
    assert stored.http_only
    assert stored.same_site == "Lax"
    assert app.config["SESSION_COOKIE_SECURE"] is False
