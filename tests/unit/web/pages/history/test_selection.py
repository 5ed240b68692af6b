"""Selected images: assigned and exported, some of them or all that the filter matches."""

from __future__ import annotations

import csv
import io

import pytest
from sqlalchemy import select

from db.session import now
from db.states import Role
from db.tables import AuditEntry, Image
from services import assignment
from tests.testing import factories
from tests.unit.web.conftest import AddJob
from tests.unit.web.visitor import Visitor
from web.backends import Backends

SCORES = (("a.png", 0.9), ("b.png", 0.2), ("c.png", 0.7), ("d.png", 0.1))


def _assigned(backends: Backends) -> list[int]:
    with backends.database.read() as session:
        return list(session.scalars(select(Image.id).where(Image.assignee_id.is_not(None)).order_by(Image.id)))


def test_ticked_images_are_assigned_and_are_then_mine(reader: Visitor, add_job: AddJob, backends: Backends) -> None:
    add_job(*SCORES)
    reader.get("/history")
    answer = reader.client.post(
        "/history/assign",
        data={"csrf_token": reader.csrf_token, "scope": "selected", "image": ["1", "4"], "reader": "1"},
    )
    assert answer.status_code == 303
    assert _assigned(backends) == [1, 4]
    page = reader.get("/history?assignee=1")
    assert "2 images assigned to ada." in page.text
    assert [link for link in page.links("/images/") if "assignee=1" in link] == page.links("/images/")
    assert len(page.links("/images/")) == 2
    assert "for ada" in page.text


def test_all_that_match_means_the_filtered_images(
    reader: Visitor, add_job: AddJob, backends: Backends, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(assignment, "CHUNK", 1)
    add_job(*SCORES)
    page = reader.search("/history", filename="png", decision="pneumonia")
    search = next(i["value"] for i in page.all("input") if i.get("name") == "search")
    fields = {"scope": "all", "reader": "1", "decision": "pneumonia", "search": search}
    assert reader.post("/history/assign", fields).status == 303
    assert _assigned(backends) == [1, 3]
    with backends.database.read() as session:
        entries = session.scalars(select(AuditEntry.detail).where(AuditEntry.action == "assigned")).all()
    assert entries == ["1 image to user 1"] * 2
    assert reader.post("/history/assign", {"scope": "all", "reader": ""}).status == 303
    assert _assigned(backends) == []


@pytest.mark.parametrize(
    "fields",
    [
        {"scope": "selected", "reader": "1"},
        {"scope": "selected", "reader": "1", "image": "okapi"},
        {"scope": "all", "reader": "77"},
        {"scope": "all", "reader": "1", "decision": "maybe"},
        {"scope": "all", "reader": "1", "search": "gone"},
    ],
)
def test_a_form_that_names_no_image_or_no_reader_changes_nothing(
    reader: Visitor, add_job: AddJob, backends: Backends, fields: dict[str, str]
) -> None:
    add_job(*SCORES)
    reader.get("/history")
    assert reader.post("/history/assign", fields).status == 400
    assert _assigned(backends) == []


def test_images_are_assigned_to_readers_only(reader: Visitor, add_job: AddJob, backends: Backends) -> None:
    add_job(*SCORES)
    with backends.database.begin() as session:
        operator = factories.user(session, "grace", Role.OPERATOR)
        gone = factories.user(session, "mary", Role.CLINICIAN)
        gone.disabled_at = now(session)
    page = reader.get("/history")
    assert "grace" not in page.text
    for user in (operator, gone):
        assert reader.post("/history/assign", {"scope": "all", "reader": str(user.id)}).status == 400
    assert _assigned(backends) == []


def test_a_selection_is_exported_in_the_order_of_the_list(reader: Visitor, add_job: AddJob) -> None:
    add_job(*SCORES)
    reader.get("/history")
    data = {"csrf_token": reader.csrf_token, "scope": "selected", "image": ["2", "1"], "sort": "suspicion"}
    answer = reader.client.post("/history/export", data=data | {"format": "csv"})
    rows = list(csv.DictReader(io.StringIO(answer.get_data(as_text=True))))
    assert [row["image_id"] for row in rows] == ["1", "2"]
    everything = reader.client.post("/history/export", data=data | {"format": "json", "scope": "all"})
    assert everything.headers["Content-Disposition"] == "attachment; filename=results.json"
    assert [row["filename"] for row in everything.get_json()] == ["a.png", "c.png", "b.png", "d.png"]
    nothing = reader.client.post("/history/export", data=data | {"format": "json", "scope": "all", "job": "9"})
    assert nothing.get_json() == []
