"""A user changes the own password: other browsers are signed out, tokens are asked about."""

from __future__ import annotations

import pytest
from flask import Flask

from db.accounts import throttle, users
from db.tables import User
from tests.conftest import PASSWORD
from tests.unit.web.visitor import Visitor
from web.backends import Backends

NEW = "another long password"
FIELDS = {"present": PASSWORD, "new": NEW, "again": NEW}


def tokens(backends: Backends) -> int:
    with backends.database.read() as database:
        return users.count_tokens(database, database.get_one(User, 1))


def opens(backends: Backends, password: str) -> bool:
    with backends.database.read() as database:
        return users.check_password(database, "ada", password) is not None


def test_a_new_password_ends_the_other_sessions_alone(reader: Visitor, app: Flask, backends: Backends) -> None:
    other = Visitor(app.test_client())
    other.sign_in("ada", PASSWORD)
    page = reader.post("/password", FIELDS)
    assert (page.status, page.location) == (303, "/password")
    assert "Your password is changed" in reader.get("/password").text
    assert other.get("/jobs").status == 302
    assert opens(backends, NEW)
    assert tokens(backends) == 1


def test_tokens_are_asked_about(reader: Visitor, backends: Backends) -> None:
    assert "Revoke the API token of this account too" in reader.get("/password").text
    reader.post("/password", FIELDS | {"revoke": "yes"})
    page = reader.get("/password")
    assert "1 API token revoked" in page.text
    assert "Revoke" not in page.text
    assert tokens(backends) == 0


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"present": "wrong"}, "The present password is wrong."),
        ({"again": "another long passwort"}, "typed in two ways"),
        ({"new": "short", "again": "short"}, "at least 12 characters"),
    ],
)
def test_a_wrong_field_gets_a_sentence_and_changes_nothing(
    reader: Visitor, backends: Backends, fields: dict[str, str], sentence: str
) -> None:
    page = reader.post("/password", FIELDS | fields)
    assert (page.status, sentence in page.text) == (400, True)
    assert opens(backends, PASSWORD)
    assert NEW not in page.html


def test_guessing_the_present_password_is_throttled_like_a_sign_in(reader: Visitor, backends: Backends) -> None:
    for _ in range(throttle.PER_NAME_AND_ADDRESS.failures):
        assert reader.post("/password", FIELDS | {"present": "wrong"}).status == 400
    assert reader.post("/password", FIELDS).status == 429
    assert opens(backends, PASSWORD)
