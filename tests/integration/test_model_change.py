"""`model activate` under a bulk job with two workers: when each changes, which model made what, nothing lost."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import select

from db.tables import Image, Prediction, Worker
from model import registry
from model.registry import DEFAULT
from services.deployments import Deployments
from tests.integration.conftest import Site
from tests.testing.polling import wait_until

pytestmark = pytest.mark.integration

IMAGES = 240
FORWARD_S = 0.1
"""Of 4 images: the job lasts for at least 3 s with two workers."""


@pytest.fixture
def service(site: Site) -> Deployments:
    return Deployments(site.database, site.backends.store)


@pytest.fixture
def other(service: Deployments, tmp_path: Path) -> str:
    """Another checkpoint, by its hash: one bit of one weight differs."""
    path = tmp_path / "other.safetensors"
    content = bytearray(DEFAULT.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    return service.import_(path).sha256


def running(site: Site) -> list[str]:
    """What the workers say they run."""
    with site.database.read() as session:
        return sorted(session.scalars(select(Worker.model_sha256)))


def seconds_until_all_run(site: Site, sha256: str) -> float:
    started_s = time.monotonic()
    wait_until(lambda: running(site) == [sha256] * 2)
    return time.monotonic() - started_s


def made_by(site: Site) -> list[tuple[int, str]]:
    """Image and model of every prediction, in the order in which they were written."""
    with site.database.read() as session:
        rows = session.execute(select(Prediction.image_id, Prediction.model_sha256).order_by(Prediction.id))
        return [(image_id, sha256) for image_id, sha256 in rows]


def test_two_workers_change_under_load_and_back_and_lose_nothing(
    site: Site, service: Deployments, other: str, capsys: pytest.CaptureFixture[str]
) -> None:
    shipped = registry.shipped().sha256
    site.start_sweeper()
    workers = [site.start_worker(forward_s=FORWARD_S) for _ in range(2)]
    ids = site.upload(IMAGES)
    wait_until(lambda: site.count("done") >= 20)

    service.activate(other)
    there_s = seconds_until_all_run(site, other)
    done = site.count("done")
    wait_until(lambda: site.count("done") >= min(IMAGES, done + 40))
    service.activate("default")
    back_s = seconds_until_all_run(site, shipped)
    wait_until(lambda: site.count("done") == IMAGES, timeout_s=300)

    predictions = made_by(site)
    assert sorted(image_id for image_id, _ in predictions) == ids
    counts = Counter(sha256 for _, sha256 in predictions)
    assert set(counts) == {shipped, other}
    assert predictions[0][1] == predictions[-1][1] == shipped
    with site.database.read() as session:
        primary = select(Image.id, Prediction.model_sha256).join(
            Prediction, Prediction.id == Image.primary_prediction_id
        )
        assert sorted(map(tuple, session.execute(primary))) == sorted(predictions)
    assert [image.attempt for image in site.images()] == [1] * IMAGES
    assert [worker.poll() for worker in workers] == [None, None]
    with capsys.disabled():
        print(f"\n{there_s:.1f} s until both ran the other model, {back_s:.1f} s back; {dict(counts)}")


def test_a_worker_that_starts_takes_the_deployed_model_from_the_store(
    site: Site, service: Deployments, other: str
) -> None:
    """It has no folder of models: only the database and the image storage."""
    service.activate(other)
    shutil.rmtree(site.settings.storage.models, ignore_errors=True)
    site.start_worker()
    ids = site.upload(3)
    wait_until(lambda: site.count("done") == 3)
    assert made_by(site) == [(image_id, other) for image_id in ids]
