"""What was rejected is kept with its job: on its page, in its CSV and in the API."""

from __future__ import annotations

import csv
import io

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from db.tables import Job, Rejection
from tests.testing.factories import png
from tests.unit.web.visitor import Visitor
from web.backends import Backends


def new_job(client: FlaskClient, expected: int | None) -> int:
    body = {"name": "ward"} | ({} if expected is None else {"expected_images": expected})
    job_id: int = client.post("/api/v1/jobs", json=body).get_json()["id"]
    return job_id


def send(client: FlaskClient, job_id: int, *files: tuple[str, bytes]) -> None:
    parts = [(io.BytesIO(data), name) for name, data in files]
    assert client.post(f"/api/v1/jobs/{job_id}/images", data={"files": parts}).status_code == 201


def test_equal_bytes_under_two_paths_are_two_images(client: FlaskClient) -> None:
    job_id = new_job(client, 2)
    send(client, job_id, ("ward/IM-0001.png", png()), ("icu/IM-0001.png", png()))
    items = client.get(f"/api/v1/jobs/{job_id}/images").get_json()["items"]
    assert [item["filename"] for item in items] == ["ward/IM-0001.png", "icu/IM-0001.png"]


def test_rejected_files_are_listed_and_in_the_csv(client: FlaskClient) -> None:
    job_id = new_job(client, 3)
    for _ in range(2):  # as after a lost answer
        send(client, job_id, ("ward/a.png", png()), ("ward/note.txt", b"just text"), ("=b.png", b""))
    job = client.get(f"/api/v1/jobs/{job_id}").get_json()
    assert (job["expected_images"], job["rejected"], job["total"], job["incomplete"]) == (3, 2, 1, False)
    items = client.get(f"/api/v1/jobs/{job_id}/rejected").get_json()["items"]
    assert [(item["filename"], item["code"]) for item in items] == [
        ("=b.png", "empty_file"),
        ("ward/note.txt", "unsupported_type"),
    ]
    rows = list(csv.DictReader(io.StringIO(client.get(f"/api/v1/jobs/{job_id}/images?format=csv").text)))
    assert [(row["filename"], row["state"]) for row in rows] == [
        ("ward/a.png", "queued"),
        ("'=b.png", "rejected"),
        ("ward/note.txt", "rejected"),
    ]
    assert rows[2]["error"] == "Not a JPEG or PNG image: this looks like a text file."
    filtered = client.get(f"/api/v1/jobs/{job_id}/images?format=csv&state=queued").text
    assert "rejected" not in filtered


def test_a_repaired_file_is_no_longer_rejected(client: FlaskClient) -> None:
    job_id = new_job(client, 1)
    send(client, job_id, ("a.png", b"torn"))
    send(client, job_id, ("a.png", png()))
    job = client.get(f"/api/v1/jobs/{job_id}").get_json()
    assert (job["total"], job["rejected"]) == (1, 0)


def test_a_client_tells_of_files_it_cannot_read(client: FlaskClient) -> None:
    job_id = new_job(client, 2)
    send(client, job_id, ("a.png", png()))
    assert client.get(f"/api/v1/jobs/{job_id}").headers["Retry-After"] == "1"
    body = {"files": [{"filename": "b\x00.png", "message": "The browser cannot read this file."}]}
    assert client.post(f"/api/v1/jobs/{job_id}/rejected", json=body).status_code == 204
    (item,) = client.get(f"/api/v1/jobs/{job_id}/rejected").get_json()["items"]
    assert (item["filename"], item["code"]) == ("b\N{REPLACEMENT CHARACTER}.png", "not_sent")
    assert client.post("/api/v1/jobs/404/rejected", json=body).status_code == 404


@pytest.mark.parametrize("expected", [0, -1, 10**30, "many", 1.5])
def test_a_senseless_declaration_is_refused(client: FlaskClient, expected: object) -> None:
    assert client.post("/api/v1/jobs", json={"expected_images": expected}).status_code == 422


def test_the_form_without_scripts_keeps_what_was_rejected(reader: Visitor, backends: Backends) -> None:
    reader.post("/", {}, [("a.png", png()), ("note.txt", b"hello")])
    page = reader.get("/jobs/1")
    assert "Rejected files" in page.text
    assert "note.txt" in page.text
    with backends.database.read() as session:
        assert [row.filename for row in session.scalars(select(Rejection))] == ["note.txt"]


def test_no_job_and_no_name_is_kept_when_nothing_was_accepted(reader: Visitor, backends: Backends) -> None:
    assert reader.post("/", {}, [("note.txt", b"hello")]).status == 422
    with backends.database.read() as session:
        assert session.scalars(select(Job)).all() == []
        assert session.scalars(select(Rejection)).all() == []


def test_one_other_file_is_spoken_of_in_the_singular(reader: Visitor) -> None:
    page = reader.post("/", {}, [("a.png", png()), ("note.txt", b"hello")])
    assert "1 of 2 files was refused" in page.text
    assert "The other one is being screened." in page.text
