"""The one write path: bytes, then row, then message; each file by itself; nothing left behind."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import unicodedata
from typing import Any

import fakeredis
import httpx
import pytest
import structlog
from flask import Flask
from flask.testing import FlaskClient
from pydantic import SecretStr
from sqlalchemy import func, select
from werkzeug.datastructures import FileStorage
from werkzeug.test import TestResponse, encode_multipart

from client.http import sendable
from core.queue import make_celery
from core.settings import Settings
from db.tables import Image, Job
from storage.local import LocalBlobStore
from storage.spool import Spool
from tests.testing import factories
from tests.testing.settings import change
from web.app import create_app
from web.backends import Backends

PNG = factories.png(size_px=(9, 8))
LIMIT = 50_000


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return change(settings, max_upload_bytes=LIMIT, max_request_bytes=4 * LIMIT)


@pytest.fixture
def job_id(client: FlaskClient) -> int:
    made: int = client.post("/api/v1/jobs", json={"name": "ward", "priority": "bulk"}).get_json()["id"]
    return made


def send(client: FlaskClient, job_id: int, *files: tuple[str, bytes]) -> TestResponse:
    parts = [FileStorage(io.BytesIO(data), filename) for filename, data in files]
    return client.post(f"/api/v1/jobs/{job_id}/images", data={"files": parts})


def count(backends: Backends, table: type[Image | Job]) -> int:
    with backends.database.read() as session:
        return session.scalars(select(func.count()).select_from(table)).one()


def spools(backends: Backends) -> list[str]:
    """What is left of uploads on the disk."""
    return [path.name for path in (backends.settings.storage.blobs / "incoming").iterdir()]


def blobs(backends: Backends) -> list[str]:
    return [path.name for path in backends.settings.storage.blobs.glob("??/*")]


def unpublished(backends: Backends) -> int:
    with backends.database.read() as session:
        return session.scalars(select(func.count()).select_from(Image).where(Image.published_at.is_(None))).one()


def test_a_body_that_is_cut_off_holds_no_spool_open(
    client: FlaskClient, job_id: int, backends: Backends, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[Spool] = []  # as a traceback somewhere would hold them

    def spool(store: LocalBlobStore, max_bytes: int) -> Spool:
        held.append(of_store(store, max_bytes))
        return held[-1]

    of_store = LocalBlobStore.spool
    monkeypatch.setattr(LocalBlobStore, "spool", spool)
    boundary, body = encode_multipart({"files": FileStorage(io.BytesIO(b"x" * 40_000), "b.png")})
    client.post(
        f"/api/v1/jobs/{job_id}/images",
        input_stream=io.BytesIO(body[:20_000]),
        content_type=f"multipart/form-data; boundary={boundary}",
        headers={"Content-Length": str(len(body))},
    )
    assert [spool.closed for spool in held] == [True]
    assert spools(backends) == []


def test_files_are_answered_in_the_order_sent_each_by_itself(client: FlaskClient, job_id: int) -> None:
    response = send(client, job_id, ("b.png", PNG), ("notes.txt", b"hello"), ("a.jpg", factories.jpeg()), ("e", b""))
    answers = response.get_json()["images"]
    assert response.status_code == 201
    assert [answer["filename"] for answer in answers] == ["b.png", "notes.txt", "a.jpg", "e"]
    assert [answer.get("error", {}).get("code") for answer in answers] == [None, "unsupported_type", None, "empty_file"]
    assert answers[0]["sha256"] == hashlib.sha256(PNG).hexdigest()
    assert answers[0]["state"] == "queued"
    assert set(answers[1]) == {"filename", "error"}


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "empty_file"),
        (b"hello", "unsupported_type"),
        (PNG[:20], "corrupt_image"),
        (factories.png_header(30_000, 30_000), "too_many_pixels"),
        (PNG + bytes(LIMIT), "too_large"),
    ],
)
def test_a_file_that_is_refused_leaves_neither_row_nor_blob_nor_spool(
    client: FlaskClient, backends: Backends, job_id: int, data: bytes, code: str
) -> None:
    (answer,) = send(client, job_id, ("x.png", data)).get_json()["images"]
    assert answer["error"]["code"] == code
    assert answer["error"]["message"].endswith(".")
    assert (count(backends, Image), blobs(backends), spools(backends)) == (0, [], [])


def test_a_file_that_is_too_large_does_not_cut_off_the_next(client: FlaskClient, job_id: int) -> None:
    answers = send(client, job_id, ("big.png", PNG + bytes(LIMIT)), ("ok.png", PNG)).get_json()["images"]
    assert answers[0]["error"]["message"] == "The file has 0.1 MB; the limit is 0.1 MB."
    assert answers[1]["state"] == "queued"


def test_the_bytes_are_kept_once_whatever_their_names(client: FlaskClient, backends: Backends, job_id: int) -> None:
    first, second = send(client, job_id, ("a.png", PNG), ("b.png", PNG)).get_json()["images"]
    assert first["id"] != second["id"]
    assert blobs(backends) == [first["sha256"]]
    assert spools(backends) == []


def test_sending_a_file_again_gives_the_same_image(client: FlaskClient, backends: Backends, job_id: int) -> None:
    first = send(client, job_id, ("a.png", PNG)).get_json()
    assert send(client, job_id, ("a.png", PNG)).get_json() == first
    assert count(backends, Image) == 1


def test_an_accepted_image_is_rung_for(client: FlaskClient, backends: Backends, job_id: int) -> None:
    send(client, job_id, ("a.png", PNG))
    assert unpublished(backends) == 0


def app_of(backends: Backends, **changed: Any) -> Flask:
    values = {name: getattr(backends, name) for name in Backends.__slots__} | changed
    return create_app(backends.settings, Backends(**values))


def of(app: Flask, client: FlaskClient) -> FlaskClient:
    """A client of `app` with the token of `client`."""
    other = app.test_client()
    other.environ_base.update(client.environ_base)
    return other


def test_a_broker_that_is_down_fails_no_upload(client: FlaskClient, backends: Backends, job_id: int) -> None:
    url = SecretStr("redis+socket:///nowhere/absent.sock")
    celery = make_celery(change(backends.settings, redis_url=url))
    down = of(app_of(backends, celery=celery), client)
    assert send(down, job_id, ("a.png", PNG)).get_json()["images"][0]["state"] == "queued"
    assert unpublished(backends) == 1


def full(*_: Any) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_is_507_with_no_row_and_nothing_left(
    client: FlaskClient, backends: Backends, job_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as disk:
        disk.setattr("storage.local.os.fsync", full)
        response = send(client, job_id, ("a.png", PNG), ("b.png", PNG))
    assert (response.status_code, response.get_json()["code"]) == (507, "storage_full")
    assert response.headers["Retry-After"] == "60"
    assert "no space" in response.get_json()["detail"]
    assert (count(backends, Image), blobs(backends), spools(backends)) == (0, [], [])


def test_a_storage_that_takes_no_file_is_503(client: FlaskClient, backends: Backends, job_id: int) -> None:
    incoming = backends.settings.storage.blobs / "incoming"
    incoming.rmdir()
    incoming.touch()  # no folder can be made here
    response = send(client, job_id, ("a.png", PNG))
    incoming.unlink()
    incoming.mkdir()
    assert (response.status_code, response.get_json()["code"]) == (503, "storage_unavailable")
    assert count(backends, Image) == 0


def test_a_request_that_is_too_large_is_413_and_leaves_nothing(
    client: FlaskClient, backends: Backends, job_id: int
) -> None:
    response = send(client, job_id, *((f"{n}.png", PNG + bytes(LIMIT)) for n in range(5)))
    assert (response.status_code, response.mimetype) == (413, "application/problem+json")
    assert response.get_json()["code"] == "request_too_large"
    assert (count(backends, Image), spools(backends)) == (0, [])


def aborted(client: FlaskClient, path: str, field: str) -> TestResponse:
    """A request whose connection breaks in the middle of a file."""
    head = f'--b\r\nContent-Disposition: form-data; name="{field}"; filename="a.png"\r\n\r\n'.encode()
    return client.post(
        path,
        input_stream=io.BytesIO(head + PNG),
        content_type="multipart/form-data; boundary=b",
        headers={"Content-Length": str(10_000)},
    )


@pytest.mark.parametrize("path", ["/api/v1/jobs/1/images", "/api/v1/images"])
def test_an_upload_that_breaks_off_leaves_nothing(
    client: FlaskClient, backends: Backends, job_id: int, path: str
) -> None:
    response = aborted(client, path, "file" if path.endswith("v1/images") else "files")
    assert job_id == 1
    assert 400 <= response.status_code < 500
    assert (count(backends, Image), blobs(backends), spools(backends)) == (0, [], [])


def test_a_form_without_files_is_422(client: FlaskClient, job_id: int) -> None:
    response = client.post(f"/api/v1/jobs/{job_id}/images", data={"other": "x"})
    assert (response.status_code, response.get_json()["code"]) == (422, "invalid_request")


def test_files_for_a_job_that_is_not_there_are_404_and_leave_no_spool(client: FlaskClient, backends: Backends) -> None:
    assert send(client, 404, ("a.png", PNG)).status_code == 404
    assert (count(backends, Image), spools(backends)) == (0, [])


def single(client: FlaskClient, filename: str, data: bytes) -> TestResponse:
    return client.post("/api/v1/images", data={"file": (io.BytesIO(data), filename)})


def test_one_image_becomes_an_interactive_job_of_its_own(client: FlaskClient, backends: Backends) -> None:
    response = single(client, "child.png", PNG)
    body = response.get_json()
    assert response.status_code == 202
    assert response.headers["Location"] == f"/api/v1/images/{body['id']}"
    job = client.get(f"/api/v1/jobs/{body['job_id']}").get_json()
    assert (job["priority"], job["total"], job["name"]) == ("interactive", 1, "1 image")
    assert spools(backends) == []


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [
        (b"hello", 415, "unsupported_type"),
        (PNG + bytes(LIMIT), 413, "too_large"),
        (b"", 422, "empty_file"),
        (PNG[:20], 422, "corrupt_image"),
    ],
)
def test_one_image_that_is_refused_leaves_no_job(
    client: FlaskClient, backends: Backends, data: bytes, status: int, code: str
) -> None:
    response = single(client, "x.png", data)
    assert (response.status_code, response.get_json()["code"]) == (status, code)
    assert response.mimetype == "application/problem+json"
    assert (count(backends, Job), blobs(backends), spools(backends)) == (0, [], [])


ODD_NAMES = [
    " leading and trailing .png ",
    "ward/müller.png",
    unicodedata.normalize("NFD", "Röntgen.png"),
    "right\u202eto\u200dleft.png",
    "bell\x07.png",
    'quote".png',
    "back\\slash.png",
    "50%22.png",
    "line\nbreak.png",
    "x" * 600 + ".png",
]


@pytest.mark.parametrize("name", ODD_NAMES, ids=ascii)
def test_a_name_is_stored_as_it_was_sent(client: FlaskClient, job_id: int, name: str) -> None:
    """By JSON, which carries any text; what the header of a form's part does not carry, the next test says."""
    send(client, job_id, ("first.png", PNG))
    wanted = {"images": [{"filename": name, "sha256": hashlib.sha256(PNG).hexdigest()}]}
    (answer,) = client.post(f"/api/v1/jobs/{job_id}/images/known", json=wanted).get_json()["images"]
    image = client.get(f"/api/v1/images/{answer['id']}").get_json()
    assert image["filename"] == answer["filename"] == name[-512:]


@pytest.mark.parametrize("name", ODD_NAMES, ids=ascii)
def test_a_name_that_submit_sends_is_the_same_by_form_and_by_json(
    client: FlaskClient, backends: Backends, job_id: int, name: str
) -> None:
    request = httpx.Request("POST", "http://x", files={"files": (sendable(name), PNG)})
    client.post(f"/api/v1/jobs/{job_id}/images", data=request.read(), content_type=request.headers["Content-Type"])
    wanted = {"images": [{"filename": sendable(name), "sha256": hashlib.sha256(PNG).hexdigest()}]}
    client.post(f"/api/v1/jobs/{job_id}/images/known", json=wanted)
    assert count(backends, Image) == 1


def test_what_no_database_holds_of_a_name_is_replaced(client: FlaskClient, job_id: int) -> None:
    send(client, job_id, ("first.png", PNG))
    wanted = [{"filename": "a\0b.png", "sha256": hashlib.sha256(PNG).hexdigest()}]
    (answer,) = client.post(f"/api/v1/jobs/{job_id}/images/known", json={"images": wanted}).get_json()["images"]
    assert answer["filename"] == "a\ufffdb.png"


def test_no_file_name_reaches_the_log_or_a_url(client: FlaskClient, backends: Backends, job_id: int) -> None:
    with structlog.testing.capture_logs() as events:
        send(client, job_id, ("mueller-anna.png", PNG), ("mueller-anna.txt", b"x"))
        response = single(client, "mueller-anna.png", PNG)
        single(client, "mueller-anna.png", b"x")
    assert "mueller" not in str(events)
    assert "mueller" not in response.headers["Location"]
    assert not [name for name in blobs(backends) if "mueller" in name]


def test_a_crash_is_logged_without_the_file_name(
    client: FlaskClient, job_id: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def crash(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("boom")

    monkeypatch.setattr("db.jobs.add_images", crash)
    client.application.testing = False
    with structlog.testing.capture_logs() as events:
        response = send(client, job_id, ("mueller-anna.png", PNG))
    assert (response.status_code, response.get_json()["code"]) == (500, "internal_server_error")
    assert [event["event"] for event in events] == ["request_crashed", "request"]
    assert "mueller" not in str(events) + response.get_data(as_text=True) + caplog.text


def test_a_broker_is_not_asked_for_anything_by_an_upload(client: FlaskClient, backends: Backends, job_id: int) -> None:
    server = fakeredis.FakeServer()
    server.connected = False
    down = of(app_of(backends, broker=fakeredis.FakeRedis(server=server)), client)
    assert send(down, job_id, ("a.png", PNG)).status_code == 201


def test_five_hundred_files_in_one_request_are_taken(client: FlaskClient, backends: Backends, job_id: int) -> None:
    small = factories.png(size_px=(2, 2))
    answers = send(client, job_id, *((f"{number}.png", small) for number in range(500))).get_json()["images"]
    assert [answer["filename"] for answer in answers] == [f"{number}.png" for number in range(500)]
    assert (count(backends, Image), spools(backends)) == (500, [])


@pytest.mark.parametrize("job_id", [2**63, 10**40])
def test_an_upload_to_a_job_beyond_all_numbers_is_no_crash(client: FlaskClient, job_id: int) -> None:
    assert send(client, job_id, ("a.png", PNG)).status_code in {404, 422}
