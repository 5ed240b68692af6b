"""Guessing passwords is slow, tells nothing, and shuts nobody out who is somewhere else."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from flask.testing import FlaskClient

from db.accounts import users
from db.accounts.throttle import PER_NAME_AND_ADDRESS
from db.session import now
from tests.conftest import PASSWORD
from tests.testing.settings import change
from tests.unit.web.visitor import Visitor
from web.app import create_app
from web.backends import Backends

LIMIT = PER_NAME_AND_ADDRESS.failures


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch, backends: Backends) -> list[datetime]:
    """The one element is the time, for what is counted."""
    with backends.database.read() as session:
        time = [now(session)]
    monkeypatch.setattr("web.pages.sign_in.view.now", lambda _: time[0])
    return time


@pytest.mark.parametrize("name", ["ada", "nobody"])
def test_the_sixth_guess_is_429_whether_or_not_there_is_such_a_user(
    stranger: Visitor, clock: list[datetime], name: str
) -> None:
    assert [stranger.sign_in(name, "wrong").status for _ in range(LIMIT)] == [401] * LIMIT
    clock[0] += timedelta(minutes=5)
    stranger.get("/login")
    form = {"csrf_token": stranger.csrf_token, "name": name, "password": PASSWORD}
    response = stranger.client.post("/login", data=form)
    assert (response.status_code, response.headers["Retry-After"]) == (429, "600")
    assert "Too many failed sign-ins. Wait 10 minutes" in response.get_data(as_text=True)


def test_the_right_password_opens_again_after_the_wait(stranger: Visitor, clock: list[datetime]) -> None:
    statuses = [stranger.sign_in("ada", "wrong").status for _ in range(LIMIT + 1)]
    assert statuses[-1] == 429
    clock[0] += PER_NAME_AND_ADDRESS.window
    assert stranger.sign_in("ada", PASSWORD).status == 303


def test_the_password_is_not_even_looked_at(
    stranger: Visitor, clock: list[datetime], monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(LIMIT):
        stranger.sign_in("ada", "wrong")
    monkeypatch.setattr(users, "check_password", lambda *_: pytest.fail("a throttled guess was checked"))
    assert stranger.sign_in("ada", PASSWORD).status == 429


def test_tokens_and_open_sessions_go_on(
    reader: Visitor, client: FlaskClient, clock: list[datetime], backends: Backends
) -> None:
    guesser = Visitor(create_app(backends.settings, backends).test_client())
    statuses = [guesser.sign_in("ada", "wrong").status for _ in range(LIMIT + 1)]
    assert statuses[-1] == 429
    assert reader.get("/jobs").status == 200
    assert client.get("/api/v1/whoami").status_code == 200


@pytest.mark.parametrize(("proxies", "shut_out"), [(0, True), (1, False)])
def test_addresses_behind_a_proxy_are_told_apart_only_if_it_is_trusted(
    backends: Backends, token: str, clock: list[datetime], proxies: int, shut_out: bool
) -> None:
    assert token
    settings = change(backends.settings, trusted_proxies=proxies)
    visitor = Visitor(create_app(settings, backends).test_client())
    visitor.client.environ_base["HTTP_X_FORWARDED_FOR"] = "203.0.113.5"
    for _ in range(LIMIT):
        visitor.sign_in("ada", "wrong")
    visitor.client.environ_base["HTTP_X_FORWARDED_FOR"] = "198.51.100.5"
    assert (visitor.sign_in("ada", PASSWORD).status == 429) == shut_out
