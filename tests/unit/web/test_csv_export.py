"""Results as a file for a spreadsheet: complete, in order, streamed, and harmless to open."""

from __future__ import annotations

import csv
import io
from typing import cast

import pytest
from flask.testing import FlaskClient
from sqlalchemy import QueuePool
from werkzeug.datastructures import FileStorage

from core.csv_lines import COLUMNS
from core.errors import CorruptImage
from db import claims
from db.listing import export
from db.session import now
from tests.testing import factories
from web.backends import Backends


def send(client: FlaskClient, *files: tuple[str, bytes]) -> int:
    job_id: int = client.post("/api/v1/jobs", json={"name": "ward"}).get_json()["id"]
    parts = [FileStorage(io.BytesIO(data), filename) for filename, data in files]
    client.post(f"/api/v1/jobs/{job_id}/images", data={"files": parts})
    return job_id


def table(client: FlaskClient, path: str) -> list[dict[str, str]]:
    response = client.get(path)
    assert (response.status_code, response.mimetype) == (200, "text/csv")
    return list(csv.DictReader(io.StringIO(response.get_data(as_text=True), newline="")))


def test_an_empty_list_is_a_header_alone(client: FlaskClient) -> None:
    assert client.get("/api/v1/results?format=csv").get_data(as_text=True) == ",".join(COLUMNS) + "\r\n"


def test_a_screened_image_is_a_complete_line(client: FlaskClient, eager: Backends) -> None:
    job_id = send(client, ("a.png", factories.png(brightness=0.7)))
    client.post("/api/v1/images/1/review", json={"opinion": "agree", "note": "left base"})
    (line,) = table(client, f"/api/v1/jobs/{job_id}/images?format=csv")
    (image,) = client.get(f"/api/v1/jobs/{job_id}/images").get_json()["items"]
    assert line == {
        "filename": "a.png",
        "sha256": image["sha256"],
        "state": "done",
        "probability": f"{image['prediction']['probability']:.6f}",
        "decision": "pneumonia",
        "model": "fake-brightness@ffffffffffff",
        "error": "",
        "image_id": str(image["id"]),
        "reason": "",
        "review": "agree",
        "reviewer": "ada",
        "review_note": "left base",
        "notes": image["prediction"]["notes"],
        "kind": "",
        "view": "",
        "population": "",
    }
    assert eager.celery.conf.task_always_eager


def test_a_failed_image_tells_its_reason(client: FlaskClient, eager: Backends) -> None:
    job_id = send(client, ("a.png", factories.png()[:100]))
    (line,) = table(client, f"/api/v1/jobs/{job_id}/images?format=csv")
    assert (line["state"], line["decision"], line["probability"]) == ("failed", "", "")
    assert line["error"].endswith(".")
    assert issubclass(CorruptImage, Exception)
    assert eager.celery.conf.task_always_eager


def test_a_name_that_a_spreadsheet_would_run_is_quoted(client: FlaskClient) -> None:
    job_id = send(client, ('=cmd|"/c calc"!A1.png', factories.png()))
    (line,) = table(client, f"/api/v1/jobs/{job_id}/images?format=csv")
    assert line["filename"].startswith("'=cmd|")


def test_commas_quotes_and_umlauts_survive(client: FlaskClient, backends: Backends) -> None:
    name = 'Müller, "Anna".png'
    with_name = send(client, ("x.png", factories.png()))
    rename(backends, name)
    assert table(client, f"/api/v1/jobs/{with_name}/images?format=csv")[0]["filename"] == name


def rename(backends: Backends, name: str) -> None:
    with backends.database.begin() as session:
        session.connection().exec_driver_sql("UPDATE images SET filename = ?", (name,))


def test_a_job_is_in_the_order_of_upload_and_results_are_newest_first(client: FlaskClient) -> None:
    job_id = send(client, *((f"{number}.png", factories.png(number)) for number in range(3)))
    of_job = [line["filename"] for line in table(client, f"/api/v1/jobs/{job_id}/images?format=csv")]
    of_all = [line["filename"] for line in table(client, "/api/v1/results?format=csv")]
    assert of_job == ["0.png", "1.png", "2.png"]
    assert of_all == of_job[::-1]


def test_the_filters_apply_and_the_page_size_does_not(client: FlaskClient) -> None:
    job_id = send(client, *((f"{number}.png", factories.png(number)) for number in range(3)))
    assert len(table(client, f"/api/v1/jobs/{job_id}/images?format=csv&limit=1")) == 3
    assert len(table(client, "/api/v1/results?format=csv&filename=1.png")) == 1
    assert table(client, "/api/v1/results?format=csv&state=done") == []


def test_a_long_list_is_sent_in_pieces_as_it_is_read(
    client: FlaskClient, backends: Backends, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "CSV_CHUNK", 10)
    with backends.database.begin() as session:
        job = factories.job(session, factories.user(session, "bob"))
        factories.images(session, job, 35)
    response = client.get(f"/api/v1/jobs/{job.id}/images?format=csv")
    pieces = [bytes(piece) for piece in response.iter_encoded()]
    assert len(pieces) == 4
    assert "Content-Length" not in response.headers
    assert b"".join(pieces).count(b"\r\n") == 36


def test_a_reader_who_stops_holds_no_connection_to_the_database(
    client: FlaskClient, backends: Backends, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "CSV_CHUNK", 10)
    with backends.database.begin() as session:
        job = factories.job(session, factories.user(session, "bob"))
        factories.images(session, job, 35)
    response = client.get(f"/api/v1/jobs/{job.id}/images?format=csv")
    pieces = response.iter_encoded()
    assert next(pieces).count(b"\r\n") == 11
    assert cast(QueuePool, backends.database.engine.pool).checkedout() == 0
    assert b"".join(pieces).count(b"\r\n") == 25


def test_it_is_a_download_whose_name_tells_no_patient(client: FlaskClient) -> None:
    job_id = send(client, ("mueller.png", factories.png()))
    headers = client.get(f"/api/v1/jobs/{job_id}/images?format=csv").headers
    assert headers["Content-Disposition"] == f"attachment; filename=job-{job_id}.csv"


def test_a_job_that_is_not_there_is_404_and_no_empty_file(client: FlaskClient) -> None:
    assert client.get("/api/v1/jobs/404/images?format=csv").status_code == 404


def test_a_cancelled_image_has_a_line_too(client: FlaskClient, backends: Backends) -> None:
    job_id = send(client, ("a.png", factories.png()))
    with backends.database.begin() as session:
        held = claims.claim(session, worker="w", limit=1, lease_s=9, now=now(session))
    assert len(held) == 1
    assert table(client, f"/api/v1/jobs/{job_id}/images?format=csv")[0]["state"] == "running"
