"""Saved views: opened with their filter and their order, and by their own user alone."""

from __future__ import annotations

from tests.testing import factories
from tests.unit.web.conftest import AddJob
from tests.unit.web.visitor import Visitor
from web.backends import Backends

FIELDS = {"name": "To read", "decision": "pneumonia", "sort": "suspicion"}


def test_a_saved_view_is_opened_and_deleted(reader: Visitor, add_job: AddJob) -> None:
    add_job(("a.png", 0.9), ("mueller.png", 0.95))
    search = reader.post("/history", {"filename": "mueller"}).location.rpartition("search=")[2]
    saved = reader.get(reader.post("/history/views", FIELDS | {"search": search}).location)
    (link,) = saved.links("/history/views/")
    address = reader.get(link).location
    assert "decision=pneumonia" in address
    assert "mueller" not in address
    page = reader.get(address)
    assert [a["value"] for a in page.all("input") if a.get("name") == "filename"] == ["mueller"]
    assert len(page.links("/images/2")) == 1
    reader.post(f"{link}/delete", {})
    assert reader.get("/history").links("/history/views/") == []


def test_a_view_of_the_same_name_is_replaced(reader: Visitor) -> None:
    reader.get("/history")
    reader.post("/history/views", FIELDS)
    reader.post("/history/views", FIELDS | {"decision": "normal"})
    (link,) = reader.get("/history").links("/history/views/")
    assert "decision=normal" in reader.get(link).location


def test_a_view_of_another_user_is_not_there(reader: Visitor, backends: Backends) -> None:
    reader.get("/history")
    reader.post("/history/views", FIELDS)
    with backends.database.begin() as session:
        factories.user(session, "grace", password="a long enough password")  # of this test
    reader.post("/logout", {})
    reader.sign_in("grace", "a long enough password")
    page = reader.get("/history")
    assert page.links("/history/views/") == []
    assert reader.get("/history/views/1").status == 404


def test_a_view_needs_a_name_and_a_filter_that_holds(reader: Visitor) -> None:
    reader.get("/history")
    assert reader.post("/history/views", FIELDS | {"name": "  "}).status == 422
    assert reader.post("/history/views", FIELDS | {"decision": "maybe"}).status == 400
