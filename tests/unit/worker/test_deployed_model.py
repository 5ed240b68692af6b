"""A worker changes to the model that is deployed between two batches, and keeps the one it has if that fails."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import select

from core.engines import EngineName
from core.errors import ConfigurationError, ModelInvalid
from db import workers
from db.session import now
from db.tables import Image, Prediction
from model import registry
from model.loaded import LoadedModel
from model.registry import Entry
from services.deployments import Deployments
from tests.unit.worker.conftest import Submit, listed, pngs, states
from web.backends import Backends
from worker.deployed_model import RETRY_S, DeployedModel
from worker.heartbeat import Heartbeat
from worker.pipeline import Pipeline


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def deployed(backends: Backends, clock: Clock) -> DeployedModel:
    return DeployedModel(backends.database, backends.store, "torch-cpu", clock)


@pytest.fixture
def worker(backends: Backends, deployed: DeployedModel, loads: list[str]) -> Iterator[Pipeline]:
    pipeline = Pipeline(backends.settings, backends.database, backends.store, deployed.load, "w1", deployed)
    yield pipeline
    pipeline.close()


@pytest.fixture
def heartbeat(backends: Backends, worker: Pipeline) -> Heartbeat:
    heartbeat = Heartbeat(backends.settings, backends.database, worker)
    model = worker.model
    with backends.database.begin() as session:
        workers.register(session, name="w1", engine="fake", model_sha256=model.sha256, now=now(session))
    return heartbeat


def hashes(backends: Backends) -> list[str]:
    """Of the model of each image's primary prediction, by image."""
    query = select(Prediction.model_sha256).join(Image, Image.primary_prediction_id == Prediction.id)
    with backends.database.read() as session:
        return list(session.scalars(query.order_by(Image.id)))


def test_the_shipped_model_screens_while_nothing_is_deployed(worker: Pipeline, heartbeat: Heartbeat) -> None:
    heartbeat.beat()
    worker.change_model()
    assert worker.model.sha256 == registry.shipped().sha256


def test_what_is_screened_before_and_after_a_change_keeps_the_hash_of_its_model(
    backends: Backends, submit: Submit, worker: Pipeline, heartbeat: Heartbeat, service: Deployments, other: str
) -> None:
    shipped = registry.shipped().sha256
    for model, expected in ((None, [shipped]), (other, [shipped, other]), ("default", [shipped, other, shipped])):
        if model is not None:
            service.activate(model)
        heartbeat.beat()
        submit(*pngs(1, first_seed=len(expected)))
        worker.drain()
        assert hashes(backends) == expected
        heartbeat.beat()
        assert (listed(backends).model_sha256, listed(backends).model_problem) == (expected[-1], None)


def test_a_change_in_the_middle_of_a_job_splits_no_batch_and_loses_none(
    backends: Backends,
    submit: Submit,
    worker: Pipeline,
    heartbeat: Heartbeat,
    service: Deployments,
    other: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    submit(*pngs(30))
    store = worker._leased.store

    def activate_after_two(*arguments: Any) -> None:
        store(*arguments)
        if worker.batches == 2:
            service.activate(other)
            heartbeat.beat()

    monkeypatch.setattr(worker._leased, "store", activate_after_two)
    assert worker.drain() == 30
    made_by = hashes(backends)
    assert states(backends) == ["done"] * 30
    changed_at = made_by.index(other)
    assert changed_at % backends.settings.worker.batch_size == 0
    assert made_by == [registry.shipped().sha256] * changed_at + [other] * (30 - changed_at)
    assert 0 < changed_at < 30


def test_a_checkpoint_that_is_missing_changes_nothing_and_is_said_and_tried_again(
    backends: Backends,
    submit: Submit,
    worker: Pipeline,
    heartbeat: Heartbeat,
    service: Deployments,
    other: str,
    clock: Clock,
    loads: list[str],
) -> None:
    service.activate(other)
    path = backends.settings.storage.blobs / other[:2] / other
    content = path.read_bytes()
    path.unlink()
    heartbeat.beat()
    submit(*pngs(2))
    worker.drain()
    heartbeat.beat()
    assert hashes(backends) == [registry.shipped().sha256] * 2
    assert listed(backends).model_sha256 == registry.shipped().sha256
    problem = f"It cannot load the model {other[:12]}: The checkpoint of the model {other[:12]} is not in the image "
    assert (listed(backends).model_problem or "").startswith(problem)
    path.write_bytes(content)
    worker.change_model()
    assert loads == [registry.shipped().sha256]  # not yet: each try takes time
    clock.now_s += RETRY_S
    worker.change_model()
    heartbeat.beat()
    assert (listed(backends).model_sha256, listed(backends).model_problem) == (other, None)


def test_going_back_ends_the_trouble_at_once(
    backends: Backends, worker: Pipeline, heartbeat: Heartbeat, service: Deployments, other: str
) -> None:
    service.activate(other)
    (backends.settings.storage.blobs / other[:2] / other).write_bytes(b"damaged")
    heartbeat.beat()
    worker.change_model()
    heartbeat.beat()
    assert "is damaged in the image storage" in (listed(backends).model_problem or "")
    service.activate("default")
    heartbeat.beat()
    worker.change_model()
    heartbeat.beat()
    assert listed(backends).model_problem is None


@pytest.mark.parametrize("error", [ConfigurationError("The engine cannot run it."), RuntimeError("a library's bug")])
def test_an_engine_that_fails_on_it_changes_nothing(
    worker: Pipeline,
    heartbeat: Heartbeat,
    service: Deployments,
    other: str,
    deployed: DeployedModel,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
) -> None:
    def refuse(_entry: Entry, _engine: EngineName) -> LoadedModel:
        raise error

    monkeypatch.setattr("worker.deployed_model.loaded.load", refuse)
    service.activate(other)
    heartbeat.beat()
    worker.change_model()
    assert worker.model.sha256 == registry.shipped().sha256
    assert deployed.problem is not None


def test_a_worker_whose_first_model_is_missing_does_not_take_another(
    backends: Backends, worker: Pipeline, service: Deployments, other: str
) -> None:
    service.activate(other)
    (backends.settings.storage.blobs / other[:2] / other).unlink()
    with pytest.raises(ModelInvalid, match="is not in the image storage; import it again"):
        _ = worker.model
