"""What people say of a prediction: by page and API, kept, shown, and never overwritten."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from db.states import ImageState
from db.tables import AuditEntry, Review
from tests.unit.web.conftest import AddJob
from tests.unit.web.visitor import Visitor
from web.backends import Backends


def review(client: FlaskClient, **body: object) -> int:
    return client.post("/api/v1/images/1/review", json=body).status_code


def test_the_last_review_is_part_of_the_image(client: FlaskClient, add_job: AddJob, backends: Backends) -> None:
    add_job(("a.png", 0.9))
    assert client.get("/api/v1/images/1").get_json()["review"] is None
    assert review(client, opinion="disagree", note="  motion\n blur ") == 201
    said = client.get("/api/v1/images/1").get_json()["review"]
    assert (said["opinion"], said["note"], said["reviewer"]) == ("disagree", "motion blur", "ada")
    review(client, opinion="unsure")
    assert client.get("/api/v1/results").get_json()["items"][0]["review"]["opinion"] == "unsure"
    with backends.database.read() as session:
        assert session.scalars(select(Review.opinion).order_by(Review.id)).all() == ["disagree", "unsure"]
        entries = session.scalars(select(AuditEntry).where(AuditEntry.action == "reviewed")).all()
    assert [(e.object_kind, e.object_id, e.detail) for e in entries] == [
        ("image", 1, "disagree"),
        ("image", 1, "unsure"),
    ]


@pytest.mark.parametrize("body", [{}, {"opinion": "maybe"}, {"opinion": "agree", "note": "x" * 501}])
def test_a_review_that_makes_no_sense_is_refused(client: FlaskClient, add_job: AddJob, body: dict[str, str]) -> None:
    add_job(("a.png", 0.9))
    assert review(client, **body) == 422


def test_there_is_nothing_to_say_before_there_is_a_prediction(client: FlaskClient, add_job: AddJob) -> None:
    assert review(client, opinion="agree") == 404
    add_job(("a.png", ImageState.QUEUED))
    assert review(client, opinion="agree") == 409


def test_the_form_saves_and_shows_a_review(reader: Visitor, add_job: AddJob) -> None:
    add_job(("a.png", 0.9))
    assert "Nobody has said yet" in reader.get("/images/1").text
    sent = reader.post("/images/1/review", {"opinion": "agree", "note": "<b>left</b> base"})
    assert (sent.status, sent.location) == (303, "/images/1")
    page = reader.get("/images/1")
    assert "Your review is saved." in page.text
    assert "<b>left</b> base" in page.text
    assert not page.all("b")


def test_a_form_without_a_choice_is_explained(reader: Visitor, add_job: AddJob) -> None:
    add_job(("a.png", 0.9))
    reader.get("/images/1")
    page = reader.post("/images/1/review", {"note": "x"})
    assert (page.status, "Choose whether you agree" in page.text) == (400, True)


def test_an_image_without_a_result_has_no_form(reader: Visitor, add_job: AddJob) -> None:
    add_job(("a.png", ImageState.FAILED))
    assert not reader.get("/images/1").all("textarea")
