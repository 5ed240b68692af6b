"""A worker whose first model lies in a blob store that is away waits for it, says so, and goes on by itself."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
import structlog
from sqlalchemy import func, select

from core.errors import ModelInvalid
from db.tables import Worker
from model import registry
from services.deployments import Deployments
from tests.testing.polling import wait_until
from tests.unit.worker.conftest import Away, listed
from web.backends import Backends
from worker.deployed_model import DeployedModel
from worker.heartbeat import NO_ENGINE, Heartbeat
from worker.pipeline import Pipeline

pytestmark = pytest.mark.usefixtures("short_pauses")


@pytest.fixture
def starting(backends: Backends, service: Deployments, other: str, loads: list[str]) -> Iterator[Pipeline]:
    """A worker without a model yet; the deployed one is in the blob store."""
    service.activate(other)
    deployed = DeployedModel(backends.database, backends.store, "torch-cpu")
    pipeline = Pipeline(backends.settings, backends.database, backends.store, deployed.load, "w1", deployed)
    yield pipeline
    pipeline.close()


@pytest.fixture
def heartbeat(backends: Backends, starting: Pipeline) -> Heartbeat:
    return Heartbeat(backends.settings, backends.database, starting)


@contextmanager
def loading(pipeline: Pipeline) -> Iterator[list[bool]]:
    """While it loads its first model in another thread; then what `load_model` returned."""
    returned: list[bool] = []
    thread = threading.Thread(target=lambda: returned.append(pipeline.load_model()), daemon=True)
    thread.start()
    try:
        yield returned
    finally:
        thread.join(timeout=60)


def test_it_waits_says_so_once_and_takes_the_model_when_the_store_is_back(
    backends: Backends, starting: Pipeline, heartbeat: Heartbeat, other: str, away: Away, loads: list[str]
) -> None:
    with structlog.testing.capture_logs() as events, ExitStack() as until_mounted:
        until_mounted.enter_context(away())
        with loading(starting) as returned:
            wait_until(lambda: starting.paused_reason)
            heartbeat.beat()
            heartbeat.beat()
            row = listed(backends)
            assert (row.engine, row.model_sha256) == (NO_ENGINE, other)
            assert "is missing" in (row.paused_reason or "")
            until_mounted.close()
            wait_until(lambda: returned)
    assert (returned, loads, starting.model.sha256) == ([True], [other], other)
    assert [event["event"] for event in events] == ["worker_paused", "worker_goes_on"]
    heartbeat.beat()
    row = listed(backends)
    assert (row.engine, row.model_sha256, row.paused_reason) == ("fake", other, None)


def test_while_it_waits_it_takes_another_model_that_is_deployed(
    backends: Backends, starting: Pipeline, heartbeat: Heartbeat, service: Deployments, away: Away
) -> None:
    with away(), loading(starting) as returned:
        wait_until(lambda: starting.paused_reason)
        service.activate("default")
        heartbeat.beat()  # in a new service the shipped model may have no row yet
        wait_until(lambda: returned)
    heartbeat.beat()
    assert listed(backends).model_sha256 == registry.shipped().sha256


def test_its_end_ends_the_wait(starting: Pipeline, away: Away, loads: list[str]) -> None:
    with away(), loading(starting) as returned:
        wait_until(lambda: starting.paused_reason)
        starting.stop()
        wait_until(lambda: returned)
    assert (returned, loads) == ([False], [])


def test_nobody_lists_a_worker_that_loads_its_first_model(backends: Backends, heartbeat: Heartbeat) -> None:
    heartbeat.beat()
    with backends.database.read() as session:
        assert session.scalars(select(func.count()).select_from(Worker)).one() == 0


@pytest.mark.parametrize(("content", "problem"), [(None, "is not in"), (b"damaged", "is damaged in")])
def test_a_checkpoint_that_is_missing_or_damaged_in_the_right_store_ends_the_start(
    backends: Backends, starting: Pipeline, other: str, content: bytes | None, problem: str
) -> None:
    path = backends.settings.storage.blobs / other[:2] / other
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(ModelInvalid, match=f"{problem} the image storage; import it again"):
        starting.load_model()
    assert starting.paused_reason is None
