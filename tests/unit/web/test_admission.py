"""How much is taken: a full queue and a full disk turn uploads away before their bytes, with a time to come back."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Callable

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.datastructures import FileStorage
from werkzeug.test import TestResponse

from core.settings import Settings
from db import jobs
from db.session import now
from db.states import Priority
from db.tables import User
from services import admission as module
from storage.local import LocalBlobStore
from storage.spool import Spool
from tests.testing import factories
from tests.testing.settings import change
from tests.unit.web.visitor import Visitor
from web.backends import Backends

LIMIT, RESERVE = 10, 4
MakeJob = Callable[..., int]


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return change(settings, max_queued_images=LIMIT, reserved_queue_images=RESERVE)


@pytest.fixture(autouse=True)
def _never_stale(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FRESH_S", 0.0)


@pytest.fixture
def queued(backends: Backends, token: str) -> MakeJob:
    """`queued(count, priority)`: a job of the signed-in user with that many queued images; its id."""

    def make(count: int, priority: Priority = Priority.BULK) -> int:
        with backends.database.begin() as session:
            owner = session.scalars(select(User.id)).one()
            job, _ = jobs.create(session, user_id=owner, name="x", priority=priority, client_key=None, now=now(session))
            factories.images(session, job, count)
            return job.id

    return make


def send(client: FlaskClient, job_id: int, *data: bytes) -> TestResponse:
    parts = [FileStorage(io.BytesIO(one), f"{number}.png") for number, one in enumerate(data)]
    return client.post(f"/api/v1/jobs/{job_id}/images", data={"files": parts})


def left(backends: Backends) -> list[str]:
    """Blobs and spools on the disk."""
    return [path.name for path in backends.settings.storage.blobs.glob("*/*")]


def assert_full(answer: TestResponse, status: int, code: str) -> int:
    """It is that problem; the seconds after which to come back."""
    assert (answer.status_code, answer.get_json()["code"]) == (status, code)
    return int(answer.headers["Retry-After"])


def test_bulk_images_are_turned_away_when_only_the_reserve_is_left(
    client: FlaskClient, backends: Backends, queued: MakeJob
) -> None:
    job_id = queued(LIMIT - RESERVE)
    assert assert_full(send(client, job_id, factories.png()), 429, "queue_full") == module.UNKNOWN_WAIT_S
    assert left(backends) == []


def test_the_same_goes_before_the_bytes_for_files_by_their_hash(client: FlaskClient, queued: MakeJob) -> None:
    body = {"images": [{"filename": "a", "sha256": "a" * 64}]}
    assert_full(client.post(f"/api/v1/jobs/{queued(LIMIT)}/images/known", json=body), 429, "queue_full")


def test_a_single_urgent_image_still_has_a_place(client: FlaskClient, queued: MakeJob) -> None:
    queued(LIMIT - RESERVE)
    assert client.post("/api/v1/images", data={"file": (io.BytesIO(factories.png()), "a.png")}).status_code == 202


def test_the_reserve_ends_too(client: FlaskClient, queued: MakeJob) -> None:
    queued(LIMIT)
    answer = client.post("/api/v1/images", data={"file": (io.BytesIO(factories.png()), "a.png")})
    assert_full(answer, 429, "queue_full")


def test_an_archive_sent_as_urgent_does_not_take_the_reserve(
    client: FlaskClient, queued: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "INTERACTIVE_EACH", 2)
    job_id = queued(2, Priority.INTERACTIVE)
    queued(LIMIT - RESERVE - 2)
    assert_full(send(client, job_id, factories.png()), 429, "queue_full")


def test_below_the_limit_everything_is_taken(client: FlaskClient, queued: MakeJob) -> None:
    assert send(client, queued(LIMIT - RESERVE - 1), factories.png()).status_code == 201


def test_a_disk_that_would_be_too_full_takes_nothing(
    client: FlaskClient, backends: Backends, queued: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LocalBlobStore, "free_bytes", lambda _: backends.settings.limits.min_free_disk_bytes + 100)
    assert assert_full(send(client, queued(0), factories.png()), 507, "storage_full") == 60
    assert left(backends) == []


def test_a_disk_that_fills_up_costs_the_files_without_space_and_no_other(
    client: FlaskClient, backends: Backends, queued: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    small, large, last = factories.png(1), factories.png(2, size_px=(300, 300)), factories.png(3)
    whole = Spool.write

    def write(spool: Spool, data: bytes) -> int:
        if spool.size_bytes + len(data) > 20_000:
            spool.give_up()
        return whole(spool, data)

    monkeypatch.setattr(Spool, "write", write)
    answer = send(client, queued(0), small, large, last)
    first, second, third = answer.get_json()["images"]
    assert answer.status_code == 201
    assert (first["state"], second["error"]["code"], third["state"]) == ("queued", "storage_full", "queued")
    assert sorted(left(backends)) == sorted([first["sha256"], third["sha256"]])


def test_a_disk_without_space_for_the_last_step_leaves_nothing_behind(
    client: FlaskClient, backends: Backends, queued: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    job_id = queued(0)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        assert_full(send(client, job_id, factories.png()), 507, "storage_full")
    assert left(backends) == []
    assert client.get(f"/api/v1/jobs/{job_id}").get_json()["total"] == 0


def test_a_later_file_without_space_leaves_those_before_it_alone(
    client: FlaskClient, backends: Backends, queued: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = iter([10**12, 0])
    monkeypatch.setattr(LocalBlobStore, "free_bytes", lambda _: next(free))
    images = send(client, queued(0), factories.png(1), factories.png(2)).get_json()["images"]
    assert (images[0]["state"], images[1]["error"]["code"]) == ("queued", "storage_full")


def test_the_form_without_scripts_is_turned_away_with_a_page(reader: Visitor, queued: MakeJob) -> None:
    queued(LIMIT)
    page = reader.post("/", {}, [("a.png", factories.png())])
    assert page.status == 429
    assert "no place for more" in page.text
