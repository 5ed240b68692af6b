"""Nobody unknown gets anything but health, the sign-in page and its stylesheet."""

from __future__ import annotations

import io
import secrets

import pytest
from flask import Flask
from flask.testing import FlaskClient
from itsdangerous import URLSafeTimedSerializer

from db import users
from db.models import User
from db.session import now
from tests import factories
from tests.conftest import PASSWORD
from web.auth import identity
from web.services import Services


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


def test_an_expired_token_is_401(app: Flask, services: Services) -> None:
    with services.database.begin() as session:
        expired = users.create_token(session, factories.user(session), now=now(session), days=-1)
    assert whoami(app, f"Bearer {expired}") == 401


def test_the_token_of_a_disabled_user_is_401(app: Flask, services: Services, token: str) -> None:
    with services.database.begin() as session:
        users.find(session, "ada").disabled_at = now(session)
    assert whoami(app, f"Bearer {token}") == 401


def test_a_revoked_token_is_401(app: Flask, services: Services, token: str) -> None:
    with services.database.begin() as session:
        users.revoke_tokens(session, users.find(session, "ada"))
    assert whoami(app, f"Bearer {token}") == 401


def test_a_stranger_on_a_page_is_sent_to_sign_in_and_back(browser: FlaskClient) -> None:
    response = browser.get("/history?state=done")
    assert response.status_code == 302
    assert response.headers["Location"] == "/login?next=/history?state%3Ddone"


def sign_in(app: Flask, services: Services) -> FlaskClient:
    """A client with the session cookie of `ada`, as `login_user` makes it."""
    client = app.test_client()
    with services.database.read() as session:
        ada = identity(users.find(session, "ada"))
    with client.session_transaction() as cookie:
        cookie["_user_id"] = ada.get_id()
        cookie["_fresh"] = True
        cookie["csrf_token"] = secrets.token_hex()
    return client


def csrf_token(app: Flask, client: FlaskClient) -> str:
    with client.session_transaction() as cookie:
        signer = URLSafeTimedSerializer(str(app.secret_key), salt="wtf-csrf-token")
        return str(signer.dumps(cookie["csrf_token"]))


@pytest.fixture
def signed_in(app: Flask, services: Services, token: str) -> FlaskClient:
    assert token
    return sign_in(app, services)


def test_a_session_may_read_the_api(signed_in: FlaskClient) -> None:
    assert signed_in.get("/api/v1/whoami").get_json()["name"] == "ada"


def test_a_session_may_not_change_anything_without_the_csrf_token(signed_in: FlaskClient) -> None:
    response = signed_in.post("/api/v1/jobs", json={"name": "forged"})
    assert (response.status_code, response.get_json()["code"]) == (400, "bad_request")
    assert signed_in.get("/api/v1/jobs").get_json()["items"] == []


def test_a_session_with_the_csrf_token_in_a_header_may(app: Flask, signed_in: FlaskClient) -> None:
    headers = {"X-CSRFToken": csrf_token(app, signed_in)}
    assert signed_in.post("/api/v1/jobs", json={"name": "mine"}, headers=headers).status_code == 201


def test_a_csrf_token_signed_with_another_key_is_refused(signed_in: FlaskClient) -> None:
    with signed_in.session_transaction() as cookie:
        forged = URLSafeTimedSerializer("another key", salt="wtf-csrf-token").dumps(cookie["csrf_token"])
    response = signed_in.post("/api/v1/jobs", json={}, headers={"X-CSRFToken": str(forged)})
    assert response.status_code == 400


def test_a_stranger_who_posts_is_asked_to_sign_in_before_anything_is_read(
    browser: FlaskClient, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spool(*_: object) -> None:
        pytest.fail("bytes of a stranger were stored")

    monkeypatch.setattr(type(services.store), "spool", spool)
    response = browser.post("/api/v1/images", data={"file": (io.BytesIO(factories.png()), "x.png")})
    assert response.status_code == 401


def test_signing_in_is_protected_against_forgery_too(browser: FlaskClient) -> None:
    response = browser.post("/login", data={"name": "ada", "password": PASSWORD})
    assert response.status_code == 400


def test_a_new_password_ends_every_session(services: Services, signed_in: FlaskClient) -> None:
    with services.database.begin() as session:
        users.set_password(users.find(session, "ada"), "another long password")
    assert signed_in.get("/api/v1/whoami").status_code == 401


def test_disabling_a_user_ends_every_session(services: Services, signed_in: FlaskClient) -> None:
    with services.database.begin() as session:
        users.find(session, "ada").disabled_at = now(session)
    assert signed_in.get("/api/v1/whoami").status_code == 401


@pytest.mark.parametrize("session_id", ["", "1", "1.", "x.y", "999.0123456789abcdef", "-1.0", "1.0123456789abcdef"])
def test_a_session_that_names_no_user_of_ours_is_nobody(app: Flask, token: str, session_id: str) -> None:
    client = app.test_client()
    with client.session_transaction() as cookie:
        cookie["_user_id"] = session_id
    assert client.get("/api/v1/whoami").status_code == 401
    assert whoami(app, f"Bearer {token}") == 200


def test_users_without_passwords_have_different_sessions(services: Services) -> None:
    with services.database.begin() as session:
        first, second = factories.user(session, "a"), factories.user(session, "b")
        assert isinstance(first, User)
        assert identity(first).get_id() != identity(second).get_id()


def test_the_session_cookie_is_closed_to_scripts_and_other_sites(signed_in: FlaskClient, app: Flask) -> None:
    with signed_in.session_transaction() as cookie:
        cookie["changed"] = True
    stored = signed_in.get_cookie("session")
    assert stored is not None
    assert stored.http_only
    assert stored.same_site == "Lax"
    assert app.config["SESSION_COOKIE_SECURE"] is False
