"""A patient's name typed into a filter stands in no address, no log and no entry of the audit log."""

from __future__ import annotations

import logging

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from structlog.testing import capture_logs

from db.accounts import users
from db.session import now
from db.tables import AuditEntry
from tests.conftest import PASSWORD
from tests.testing import factories
from tests.unit.web.conftest import AddJob
from tests.unit.web.visitor import Page, Visitor
from web.backends import Backends

PLANTED = "Mustermann-Erika"


def addresses(page: Page) -> list[str]:
    """Every address on a page and the one that it leads to."""
    named = [attributes.get(name, "") for _, attributes in page.elements for name in ("href", "src", "action")]
    return [page.location, *named]


def test_a_planted_name_is_in_no_address_log_or_audit_entry(
    reader: Visitor,
    add_job: AddJob,
    backends: Backends,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("web.pages.history.view.IMAGES_ON_A_PAGE", 2)
    add_job(*((f"{PLANTED}-{i}.png", 0.9) for i in range(5)), ("other.png", 0.9))
    caplog.set_level(logging.DEBUG)
    visited: list[str] = []
    with capture_logs() as events:
        reader.get("/history")
        page = reader.post("/history", {"filename": PLANTED, "state": "done"})
        assert page.status == 303
        while path := page.location or page.link("next"):
            visited += [path, *addresses(page)]
            page = reader.get(path)
            assert PLANTED in [field.get("value") for field in page.all("input")]
        (csv,) = page.links("format=csv")
        text = reader.client.get(csv).get_data(as_text=True)
        newest = next(link for link in page.links("/history?") if "search=" in link)
        assert len(reader.get(newest).links("/images/")) == 2
        reader.post("/logout", {})
        asked = reader.get(newest)
        visited += [csv, newest, *addresses(page), *addresses(asked), *addresses(reader.get(asked.location))]
    assert text.count(PLANTED) == 5
    assert "other.png" not in text
    assert len(visited) > 20
    assert not [address for address in visited if "ustermann" in address]
    assert "ustermann" not in f"{events} {caplog.text}"
    with backends.database.read() as database:
        assert "ustermann" not in str([vars(entry) for entry in database.scalars(select(AuditEntry))])


def test_back_and_reload_show_the_same(reader: Visitor, add_job: AddJob) -> None:
    add_job(("a.png", 0.9), ("b.png", 0.9))
    path = reader.post("/history", {"filename": "a."}).location
    first, second = (reader.get(path).links("/images/") for _ in range(2))
    assert first == second
    assert [link.partition("?")[0] for link in first] == ["/images/1"]


@pytest.mark.parametrize(("page", "field"), [("/history", "filename"), ("/audit", "who")])
def test_a_name_in_an_address_is_refused_with_a_sentence(reader: Visitor, page: str, field: str) -> None:
    answer = reader.get(f"{page}?{field}={PLANTED}")
    assert (answer.status, "Press “Filter” to search for it." in answer.text) == (400, True)
    assert PLANTED in [given.get("value") for given in answer.all("input")]
    assert not [address for address in addresses(answer) if PLANTED in address]


def test_a_stranger_with_a_name_in_the_address_is_not_sent_on_with_it(stranger: Visitor) -> None:
    assert stranger.get(f"/history?filename={PLANTED}&state=done").location == "/login?next=/history?state%3Ddone"
    assert stranger.get(f"/audit?who={PLANTED}").location == "/login?next=/audit"


def test_a_search_of_somebody_else_or_of_long_ago_asks_to_type_it_again(
    reader: Visitor, app: Flask, backends: Backends
) -> None:
    path = reader.post("/history", {"filename": PLANTED}).location
    with backends.database.begin() as database:
        factories.user(database, "bob", password=PASSWORD)
    other = Visitor(app.test_client())
    other.sign_in("bob", PASSWORD)
    for answer in (other.get(path), reader.get("/history?search=unknown"), reader.get("/audit?search=unknown")):
        assert (answer.status, "Type it again." in answer.text, PLANTED in answer.html) == (400, True, False)


def test_the_name_in_the_audit_filter_is_kept_out_of_addresses_too(reader: Visitor) -> None:
    page = reader.post("/audit", {"who": PLANTED, "action": "saw"})
    assert PLANTED not in page.location
    assert not [address for address in addresses(reader.get(page.location)) if PLANTED in address]


def test_programs_exchange_a_name_for_a_key(client: FlaskClient, add_job: AddJob) -> None:
    add_job((f"{PLANTED}.png", 0.9), ("b.png", 0.9))
    made = client.post("/api/v1/searches", json={"filename": PLANTED})
    assert (made.status_code, made.get_json().keys()) == (201, {"search", "expires_at"})
    key = made.get_json()["search"]
    assert [item["id"] for item in client.get(f"/api/v1/results?search={key}").get_json()["items"]] == [1]
    assert len(client.get(f"/api/v1/results?format=csv&search={key}").get_data(as_text=True).splitlines()) == 2
    assert [i["id"] for i in client.get(f"/api/v1/results?filename={PLANTED}").get_json()["items"]] == [1]


@pytest.mark.parametrize("query", ["search=unknown", "search=a&filename=b"])
def test_a_key_that_does_not_work_is_422(client: FlaskClient, query: str) -> None:
    assert client.get(f"/api/v1/results?{query}").status_code == 422


def test_a_key_is_its_users_alone(client: FlaskClient, backends: Backends) -> None:
    key = client.post("/api/v1/searches", json={"filename": PLANTED}).get_json()["search"]
    with backends.database.begin() as database:
        token = users.create_token(database, factories.user(database, "bob"), now=now(database))
    answer = client.get(f"/api/v1/results?search={key}", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 422
