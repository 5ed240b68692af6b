"""The database goes away in the middle of an upload: what was refused has left nothing, what was kept is accepted."""

from __future__ import annotations

import io
from typing import Any, NoReturn

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select
from sqlalchemy.exc import InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.test import TestResponse

from db.tables import Image, Job
from tests.testing import factories
from web.backends import Backends

PNG = factories.png(size_px=(9, 8))


def gone(*_: Any, **__: Any) -> NoReturn:
    raise OperationalError("UPDATE", None, Exception("server closed the connection"))


def too_slow(*_: Any, **__: Any) -> NoReturn:
    raise InternalError("UPDATE", None, Exception("terminating connection due to idle-in-transaction timeout"))


def all_hang(*_: Any, **__: Any) -> NoReturn:
    raise PoolTimeout("QueuePool limit reached")


def rows(backends: Backends) -> tuple[int, int]:
    """Jobs and images."""
    with backends.database.read() as session:
        jobs, images = (session.scalars(select(func.count()).select_from(table)).one() for table in (Job, Image))
        return jobs, images


def single(client: FlaskClient) -> TestResponse:
    return client.post("/api/v1/images", data={"file": (io.BytesIO(PNG), "child.png")})


def many(client: FlaskClient) -> TestResponse:
    job_id = client.post("/api/v1/jobs", json={"priority": "bulk"}).get_json()["id"]
    return client.post(f"/api/v1/jobs/{job_id}/images", data={"files": [(io.BytesIO(PNG), "child.png")]})


@pytest.mark.parametrize("how", [gone, too_slow, all_hang])
def test_one_image_whose_row_cannot_be_written_leaves_no_job(
    client: FlaskClient, backends: Backends, monkeypatch: pytest.MonkeyPatch, how: Any
) -> None:
    monkeypatch.setattr("db.jobs.add_images", how)
    assert single(client).status_code == 503
    assert rows(backends) == (0, 0)


def test_a_form_whose_rows_cannot_be_written_leaves_no_job(
    browser: FlaskClient, client: FlaskClient, backends: Backends, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("db.jobs.add_images", gone)
    token = client.environ_base["HTTP_AUTHORIZATION"]
    form = {"files": [(io.BytesIO(PNG), "child.png")]}
    assert client.post("/", data=form, headers={"Authorization": token}).status_code == 503
    assert rows(backends) == (0, 0)


@pytest.mark.parametrize("send", [single, many])
def test_images_that_are_committed_are_accepted_although_their_lost_message_cannot_be_noted(
    client: FlaskClient, backends: Backends, monkeypatch: pytest.MonkeyPatch, send: Any
) -> None:
    monkeypatch.setattr("core.queue.publish", lambda *_: [])
    monkeypatch.setattr("db.jobs.unpublish", gone)
    assert send(client).status_code in (201, 202)
    assert rows(backends) == (1, 1)
    with backends.database.read() as session:
        (stamp,) = session.scalars(select(Image.published_at))
        assert stamp is not None  # as if the message had got lost, for which the sweeper looks too


def test_one_image_that_is_committed_is_accepted_although_it_cannot_be_read_back(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("db.listing.images.get", gone)
    response = single(client)
    assert (response.status_code, response.get_json()["state"]) == (202, "queued")


def test_a_job_whose_progress_cannot_be_read_is_not_made(
    client: FlaskClient, backends: Backends, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.jobs.progress_of", gone)
    assert client.post("/api/v1/jobs", json={"priority": "bulk"}).status_code == 503
    assert rows(backends) == (0, 0)
