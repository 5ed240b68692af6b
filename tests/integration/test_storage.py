"""Web and workers as processes of their own that share nothing but a database, a broker and a storage."""

from __future__ import annotations

import io
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from db import workers
from db.session import now
from model.registry import DEFAULT
from services.deployments import Deployments
from tests.integration.conftest import MakeSite, Site, stop
from tests.testing import factories, object_server
from tests.testing.object_server import ObjectServer
from tests.testing.polling import wait_until
from tests.testing.ports import free_port
from tests.testing.valkey import ValkeyServer

pytestmark = pytest.mark.integration

IMAGES = 24


@pytest.fixture
def server() -> Iterator[ObjectServer]:
    with object_server.serve() as server:
        yield server


def upload(site: Site, count: int) -> dict[int, bytes]:
    """Through the web process; each image's id and bytes."""
    sent = [factories.png(seed, size_px=(16, 16)) for seed in range(count)]
    headers = {"Authorization": f"Bearer {site.token}"}
    with httpx.Client(base_url=f"http://127.0.0.1:{site.settings.web.port}", headers=headers, trust_env=False) as web:
        job_id = web.post("/api/v1/jobs", json={"priority": "bulk"}).raise_for_status().json()["id"]
        files = [("files", (f"{n}.png", io.BytesIO(data))) for n, data in enumerate(sent)]
        answer = web.post(f"/api/v1/jobs/{job_id}/images", files=files).raise_for_status().json()
        ids = [item["id"] for item in answer["images"]]
        assert web.get(f"/api/v1/images/{ids[0]}/file").raise_for_status().content == sent[0]
    return dict(zip(ids, sent, strict=True))


@pytest.mark.parametrize("storage", ["s3", "folder"])
def test_workers_join_and_leave_in_the_middle_of_a_job(
    storage: str, make_site: MakeSite, postgresql_url: str, broker: ValkeyServer, tmp_path: Path, request: Any
) -> None:
    where = request.getfixturevalue("server").settings if storage == "s3" else {"blob_dir": tmp_path / "shared"}
    site = make_site(postgresql_url, broker.url, web_port=free_port(), **where)
    site.start_web()
    site.start_sweeper()
    killed = site.start_worker(forward_s=0.2)
    sent = upload(site, IMAGES)
    wait_until(lambda: site.count("done") > 0)
    stop(killed, signal.SIGKILL)
    leaving = site.start_worker(forward_s=0.1)
    site.start_worker(forward_s=0.1)
    assert stop(leaving) == 0
    wait_until(lambda: site.count("done") == IMAGES)
    assert sorted(site.predicted()) == sorted(sent)
    if storage == "s3":
        assert not list(site.settings.storage.spools.iterdir())
        assert not site.settings.storage.blobs.exists()


def test_a_storage_that_is_away_costs_no_accepted_image(
    make_site: MakeSite, postgresql_url: str, broker: ValkeyServer, server: ObjectServer
) -> None:
    site = make_site(postgresql_url, broker.url, **server.settings, s3_timeout_s=1)
    ids = site.upload(3)
    server.pause()
    site.start_sweeper()
    site.start_worker()
    wait_until(lambda: "object storage" in (paused_reason(site) or ""))
    assert site.count("queued") == 3, "a worker that cannot read the storage claims nothing"
    server.resume()
    wait_until(lambda: site.count("done") == 3)
    assert sorted(site.predicted()) == ids
    assert {image.attempt for image in site.images()} == {1}


def test_a_worker_whose_model_is_in_a_storage_that_is_away_waits_for_it(
    make_site: MakeSite, postgresql_url: str, broker: ValkeyServer, server: ObjectServer, tmp_path: Path
) -> None:
    site = make_site(postgresql_url, broker.url, **server.settings, s3_timeout_s=1)
    deployments = Deployments(site.database, site.backends.store)
    deployments.activate(deployments.import_(another_checkpoint(tmp_path)).sha256)
    ids = site.upload(3)
    server.pause()
    site.start_sweeper()
    worker = site.start_worker()
    wait_until(lambda: "object storage" in (paused_reason(site) or ""))
    assert worker.poll() is None
    server.resume()
    wait_until(lambda: site.count("done") == 3)
    assert sorted(site.predicted()) == ids
    assert worker.poll() is None, "it is the same process"


def another_checkpoint(folder: Path) -> Path:
    """One bit of one weight differs from the shipped one."""
    content = bytearray(DEFAULT.read_bytes())
    content[-1] ^= 1
    path = folder / "other.safetensors"
    path.write_bytes(content)
    return path


def paused_reason(site: Site) -> str | None:
    """What the only worker says of why it claims nothing."""
    with site.database.read() as session:
        (worker,) = workers.alive(session, now(session))
        return worker.paused_reason
