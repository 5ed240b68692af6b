"""Signing in and out, and what nobody gets to without."""

from __future__ import annotations

import pytest

from tests.conftest import PASSWORD
from tests.unit.web.visitor import Visitor


@pytest.mark.parametrize("path", ["/", "/jobs", "/jobs/1", "/history?state=failed", "/images/1", "/status"])
def test_a_stranger_is_sent_to_sign_in_and_back(stranger: Visitor, path: str) -> None:
    page = stranger.get(path)
    assert page.status == 302
    assert page.location.startswith("/login?next=")
    form = stranger.get(page.location)
    assert [i["value"] for i in form.all("input") if i["name"] == "next"] == [path]


def test_the_right_password_opens_the_page_that_was_asked_for(stranger: Visitor) -> None:
    page = stranger.sign_in("ada", PASSWORD, "/history?state=failed")
    assert (page.status, page.location) == (303, "/history?state=failed")
    assert stranger.get("/history").status == 200


@pytest.mark.parametrize(("name", "password"), [("ada", "wrong password"), ("nobody", PASSWORD), ("", "")])
def test_a_failed_sign_in_does_not_tell_what_was_wrong(stranger: Visitor, name: str, password: str) -> None:
    page = stranger.sign_in(name, password)
    assert page.status == 401
    assert "Name or password is wrong." in page.text
    assert stranger.get("/").status == 302


def test_a_password_is_never_sent_back(stranger: Visitor) -> None:
    assert "wrong password" not in stranger.sign_in("ada", "wrong password").html


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "/\t/evil.example",
        "javascript:alert(1)",
        "",
        "jobs",
    ],
)
def test_signing_in_never_leads_to_another_site(stranger: Visitor, target: str) -> None:
    assert stranger.sign_in("ada", PASSWORD, target).location == "/"


def test_somebody_signed_in_skips_the_form(reader: Visitor) -> None:
    page = reader.get("/login?next=/jobs")
    assert (page.status, page.location) == (302, "/jobs")


def test_signing_out_ends_the_session(reader: Visitor) -> None:
    assert reader.post("/logout", {}).location == "/login"
    assert reader.get("/").status == 302


@pytest.mark.parametrize("path", ["/login", "/logout", "/", "/jobs/1/cancel", "/jobs/1/retry"])
def test_a_form_of_another_site_is_refused(reader: Visitor, path: str) -> None:
    page = reader.post(path, {"csrf_token": "forged"})
    assert page.status == 400
