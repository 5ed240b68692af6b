"""Uploads, files and deletions while the image storage is missing or another one."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select

from db.tables import BlobRemoval, Image, Job
from storage import marker
from storage.local import LocalBlobStore
from storage.spool import Spool
from tests.testing import factories
from web.backends import Backends

PNG = factories.png(size_px=(9, 8))


@pytest.fixture
def root(backends: Backends) -> Iterator[Path]:
    """The blob folder; its marker is put back at the end."""
    path = backends.settings.storage.blobs / marker.NAME
    before = path.read_bytes()
    yield backends.settings.storage.blobs
    path.write_bytes(before)


def send(client: FlaskClient) -> Any:
    return client.post("/api/v1/images", data={"file": (io.BytesIO(PNG), "child.png")})


def files(root: Path) -> list[Path]:
    return sorted(path for path in root.rglob("*") if path.is_file())


def count(backends: Backends, table: type[Image | Job]) -> int:
    with backends.database.read() as session:
        return session.scalars(select(func.count()).select_from(table)).one()


@pytest.mark.parametrize(("left", "code"), [(None, "storage_missing"), ("2" * 32, "storage_foreign")])
def test_nothing_is_taken_and_nothing_written(
    client: FlaskClient, backends: Backends, root: Path, monkeypatch: pytest.MonkeyPatch, left: str | None, code: str
) -> None:
    spools: list[int] = []
    monkeypatch.setattr(LocalBlobStore, "spool", lambda _store, size: spools.append(size))
    (root / marker.NAME).unlink()
    if left is not None:
        (root / marker.NAME).write_bytes(marker.write(left))
    before = files(root)
    response = send(client)
    assert (response.status_code, response.get_json()["code"]) == (503, code)
    assert int(response.headers["Retry-After"]) > 0
    assert (spools, files(root), count(backends, Job)) == ([], before, 0)


def test_known_images_are_not_looked_for_in_it(client: FlaskClient, root: Path) -> None:
    sha256 = send(client).get_json()["sha256"]
    job_id = client.post("/api/v1/jobs", json={"priority": "bulk"}).get_json()["id"]
    (root / marker.NAME).unlink()
    wanted = {"images": [{"filename": "child.png", "sha256": sha256}]}
    assert client.post(f"/api/v1/jobs/{job_id}/images/known", json=wanted).status_code == 503


def test_a_store_that_vanishes_while_the_bytes_come_leaves_no_row(
    client: FlaskClient, backends: Backends, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = LocalBlobStore.put

    def put_and_vanish(store: LocalBlobStore, spool: Spool) -> str:
        sha256 = put(store, spool)
        (root / marker.NAME).unlink()
        return sha256

    monkeypatch.setattr(LocalBlobStore, "put", put_and_vanish)
    assert send(client).status_code == 503
    assert (count(backends, Job), count(backends, Image)) == (0, 0)


def test_bytes_of_a_missing_store_are_not_called_missing(client: FlaskClient, backends: Backends, root: Path) -> None:
    image = send(client).get_json()
    backends.store.delete(image["sha256"])
    assert client.get(f"/api/v1/images/{image['id']}/file").status_code == 404
    (root / marker.NAME).unlink()
    response = client.get(f"/api/v1/images/{image['id']}/file")
    assert (response.status_code, response.get_json()["code"]) == (503, "storage_missing")


def test_a_job_deleted_meanwhile_keeps_its_bytes_until_the_store_is_back(
    client: FlaskClient, backends: Backends, root: Path
) -> None:
    image = send(client).get_json()
    (root / marker.NAME).write_bytes(marker.write("2" * 32))
    assert client.delete(f"/api/v1/jobs/{image['job_id']}").status_code == 204
    assert backends.store.exists(image["sha256"])
    with backends.database.read() as session:
        assert session.scalars(select(BlobRemoval.removed_at)).all() == [None]
