"""Deleting a job by page and API: out of sight, rows and bytes gone."""

from __future__ import annotations

import io

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select

from core.errors import StorageUnavailable
from db.retention import erasure
from db.tables import Image, Job
from tests.testing import factories
from tests.unit.web.conftest import AddJob
from tests.unit.web.visitor import Visitor
from web.backends import Backends


def send(client: FlaskClient, seed: int = 0) -> int:
    """A job of one image; its id."""
    sent = client.post("/api/v1/images", data={"file": (io.BytesIO(factories.png(seed)), "a.png")})
    job_id: int = sent.get_json()["job_id"]
    return job_id


def blobs(backends: Backends) -> int:
    return len(list(backends.settings.storage.blobs.glob("??/*")))


def test_a_job_is_deleted_with_the_bytes_that_no_other_needs(client: FlaskClient, backends: Backends) -> None:
    first, second, other = send(client, 1), send(client, 1), send(client, 2)
    assert client.delete(f"/api/v1/jobs/{first}").status_code == 204
    assert blobs(backends) == 2
    assert client.delete(f"/api/v1/jobs/{second}").status_code == 204
    assert blobs(backends) == 1
    assert [job["id"] for job in client.get("/api/v1/jobs").get_json()["items"]] == [other]
    assert send(client, 1) > other  # the same bytes again, from nothing
    assert blobs(backends) == 2


PATHS = ("/jobs/1", "/images/1", "/api/v1/jobs/1", "/api/v1/jobs/1/images", "/api/v1/images/1", "/api/v1/images/1/file")


@pytest.mark.parametrize("path", PATHS)
def test_what_is_being_erased_is_out_of_sight_at_once(
    client: FlaskClient, backends: Backends, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    send(client)
    with client.get(path) as response:
        assert response.status_code == 200
    monkeypatch.setattr(erasure, "erase", lambda *_, **__: None)  # as if the process had died here
    client.delete("/api/v1/jobs/1")
    assert client.get(path).status_code == 404
    assert client.get("/api/v1/results").get_json()["items"] == []
    assert client.post("/api/v1/jobs/1/retry").status_code == 404
    assert client.delete("/api/v1/jobs/1").status_code == 404
    with backends.database.read() as session:
        assert session.scalars(select(func.count()).select_from(Image)).one() == 1


def test_a_storage_that_refuses_leaves_the_bytes_to_the_sweeper(
    client: FlaskClient, backends: Backends, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise StorageUnavailable("The disk is read-only.")

    send(client)
    with monkeypatch.context() as patch:
        patch.setattr(type(backends.store), "delete", fail)
        assert client.delete("/api/v1/jobs/1").status_code == 204
    with backends.database.read() as session:
        assert session.scalars(select(func.count()).select_from(Job)).one() == 0
    assert blobs(backends) == 1
    send(client, 2)
    client.delete("/api/v1/jobs/2")
    assert blobs(backends) == 0


def test_bytes_that_went_between_upload_and_row_are_asked_for_again(
    client: FlaskClient, backends: Backends, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = send(client)
    put = type(backends.store).put

    def put_and_lose(store: object, spool: object) -> str:
        sha256: str = put(store, spool)  # type: ignore[arg-type]
        client.delete(f"/api/v1/jobs/{job_id}")
        return sha256

    with monkeypatch.context() as patch:
        patch.setattr(type(backends.store), "put", put_and_lose)
        sent = client.post("/api/v1/images", data={"file": (io.BytesIO(factories.png()), "a.png")})
    assert (sent.status_code, sent.headers["Retry-After"]) == (503, "5")
    assert "send it again" in sent.get_json()["detail"]
    again = send(client)
    assert client.get(f"/api/v1/jobs/{again}").get_json()["total"] == 1
    assert blobs(backends) == 1


def test_the_page_asks_before_it_deletes(reader: Visitor, add_job: AddJob) -> None:
    job_id = add_job(("a.png", 0.9))
    page = reader.get(f"/jobs/{job_id}")
    assert "There is no way back." in page.text
    sent = reader.post(f"/jobs/{job_id}/delete", {})
    assert (sent.status, sent.location) == (303, "/jobs")
    assert f"Job {job_id} deleted with 1 image" in reader.get("/jobs").text
    assert reader.get(f"/jobs/{job_id}").status == 404
