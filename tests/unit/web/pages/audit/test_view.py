"""What users do is in the audit log, without a file name; the page of the log itself."""

from __future__ import annotations

import io

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from db import audit as log
from db.states import ImageState
from db.tables import AuditEntry, Image
from tests.conftest import PASSWORD
from tests.testing import factories
from tests.unit.web.conftest import AddJob
from tests.unit.web.visitor import Visitor
from web.backends import Backends
from web.pages.audit.view import ENTRIES_ON_A_PAGE

SECRET = "mustermann.png"


def entries(backends: Backends) -> list[AuditEntry]:
    with backends.database.read() as session:
        return list(session.scalars(select(AuditEntry).order_by(AuditEntry.id)))


def told(backends: Backends) -> list[str]:
    """Each entry as 'action kind id detail'."""
    return [f"{e.action} {e.object_kind} {e.object_id} {e.detail}".strip() for e in entries(backends)]


@pytest.mark.parametrize(
    ("path", "entry"),
    [
        ("/images/1", "saw image 1 page"),
        ("/api/v1/images/1", "saw image 1 result"),
        ("/api/v1/images/1/file", "saw image 1 file"),
        ("/api/v1/images/1/cam", "saw image 1 map"),
        ("/jobs/1", "saw job 1 page"),
        ("/api/v1/jobs/1/images", "saw job 1 list"),
        ("/history", "saw results None page"),
        ("/api/v1/results?filename=mustermann", "saw results None list"),
        ("/audit", "saw audit log None page"),
        ("/api/v1/jobs/1/images?format=csv", "exported job 1"),
        (
            "/api/v1/results?format=csv&filename=mustermann&state=done&from=2020-01-01T00:00:00Z",
            "exported results None part of a file name, state done, since 2020-01-01 00:00",
        ),
    ],
)
def test_whoever_sees_or_takes_something_is_in_the_log(
    client: FlaskClient, backends: Backends, add_job: AddJob, path: str, entry: str
) -> None:
    add_job((SECRET, 0.9), ood_score=0.1)
    spool = backends.store.spool(10)
    spool.write(b"bytes")
    with backends.database.begin() as session:
        session.get_one(Image, 1).sha256 = backends.store.put(spool)
    with client.get(path, environ_base={"REMOTE_ADDR": "192.0.2.7"}) as response:
        assert response.status_code == 200
    assert told(backends) == [entry]
    (row,) = entries(backends)
    assert (row.actor, row.user_id, row.role, row.address) == ("ada", 1, "admin", "192.0.2.7")


def test_a_page_that_renews_itself_is_one_view(client: FlaskClient, backends: Backends, add_job: AddJob) -> None:
    add_job((SECRET, ImageState.QUEUED))
    for _ in range(3):
        client.get("/images/1")
        client.get("/api/v1/images/1")  # what the page polls; the page showed it
    assert told(backends) == ["saw image 1 page"]


def test_nothing_is_shown_that_cannot_be_written_down(
    app: Flask, client: FlaskClient, backends: Backends, add_job: AddJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OperationalError("insert", {}, Exception("disk full"))

    add_job((SECRET, 0.9))
    monkeypatch.setattr(log, "record", fail)
    response = client.get("/images/1")
    assert response.status_code == 503
    assert SECRET not in response.get_data(as_text=True)
    assert told(backends) == []


def test_what_changes_something_is_in_the_log(client: FlaskClient, backends: Backends) -> None:
    sent = {"file": (io.BytesIO(factories.png()), SECRET)}
    assert client.post("/api/v1/images", data=sent).status_code == 202
    client.post("/api/v1/jobs/1/cancel")
    client.post("/api/v1/jobs/1/retry")
    client.delete("/api/v1/jobs/1")
    assert told(backends) == [
        "submitted job 1 1 image",
        "cancelled job 1 1 image",
        "retried job 1 1 image",
        "deleted job 1 1 image",
    ]


def test_a_change_that_fails_leaves_no_entry(client: FlaskClient, backends: Backends) -> None:
    for path in ("cancel", "retry"):
        assert client.post(f"/api/v1/jobs/4711/{path}").status_code == 404
    assert client.delete("/api/v1/jobs/4711").status_code == 404
    assert told(backends) == []


def test_signing_in_and_out_is_in_the_log_but_no_name_of_nobody(stranger: Visitor, backends: Backends) -> None:
    stranger.sign_in("my secret password", "x")
    stranger.sign_in("ada", "wrong")
    stranger.sign_in("ada", PASSWORD)
    stranger.get("/")
    stranger.post("/logout", {})
    assert [(e.actor, e.action) for e in entries(backends)] == [
        ("(unknown)", "sign_in_failed"),
        ("ada", "sign_in_failed"),
        ("ada", "signed_in"),
        ("ada", "signed_out"),
    ]


def test_the_page_shows_and_filters_the_log(reader: Visitor, add_job: AddJob) -> None:
    add_job((SECRET, 0.9))
    reader.get("/images/1")
    page = reader.get("/audit")
    assert "/images/1" in page.links()
    assert "signed in" in page.text
    filtered = reader.search("/audit", who="ada", action="saw", kind="image", number="1", from_="2020-01-01")
    rows = filtered.html.count('<th scope="row">')
    assert rows == 1
    assert SECRET not in filtered.html
    assert "No entry matches" in reader.search("/audit", who="eve").text


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("action=x", "choose one from the list"),
        ("kind=x", "choose one from the list"),
        ("number=x", "takes digits only"),
        ("from=x", "is no date"),
        ("from=2026-01-02&to=2026-01-01", "swap them"),
    ],
)
def test_a_filter_that_makes_no_sense_is_explained(reader: Visitor, query: str, words: str) -> None:
    page = reader.get(f"/audit?{query}")
    assert (page.status, words in page.text) == (400, True)


def test_the_log_is_shown_in_pages(reader: Visitor, backends: Backends) -> None:
    at = entries(backends)[0].at
    with backends.database.begin() as session:
        session.add_all(AuditEntry(at=at, actor="eve", action="saw", detail="") for _ in range(ENTRIES_ON_A_PAGE + 1))
    first = reader.search("/audit", who="eve")
    second = reader.get(first.link("next"))
    assert [page.html.count('<th scope="row">') for page in (first, second)] == [ENTRIES_ON_A_PAGE, 1]
    assert second.link("next") == ""
