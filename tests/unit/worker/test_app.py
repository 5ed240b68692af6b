"""The worker process insists on its shape and on a sound model before it claims anything."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from celery.concurrency.thread import TaskPool

from core.errors import ConfigurationError
from core.settings import Settings
from db import deployments
from db.session import now
from tests.testing.fakes import FAKE_SHA256
from tests.testing.settings import change
from web.backends import Backends
from worker import app


def make_worker(pool: object = TaskPool, concurrency: int = 1, prefetch: int = 1) -> Any:
    """By a Celery whose workers are of this shape, whatever it is asked for."""
    worker = SimpleNamespace(pool_cls=pool, concurrency=concurrency)
    celery: Any = SimpleNamespace(Worker=lambda **_: worker, conf=SimpleNamespace(worker_prefetch_multiplier=prefetch))
    return app._make_worker(celery, "w1")


def test_one_thread_with_one_message_is_the_shape_of_a_worker() -> None:
    assert make_worker().concurrency == 1


@pytest.mark.parametrize(
    "shape", [{"pool": "celery.concurrency.prefork:TaskPool"}, {"concurrency": 2}, {"prefetch": 4}], ids=str
)
def test_any_other_shape_is_refused(shape: dict[str, Any]) -> None:
    with pytest.raises(RuntimeError, match="one thread and prefetch one message"):
        make_worker(**shape)


def test_a_choice_of_the_release_before_that_was_not_taken_over_stops_the_worker(backends: Backends) -> None:
    folder = backends.settings.storage.models
    folder.mkdir()
    (folder / "active").write_text("0" * 64)
    with pytest.raises(ConfigurationError, match="was not taken over yet: run `pneumoscreen db upgrade`"):
        app._require_choice_taken_over(backends.settings, backends.database)
    with backends.database.begin() as session:
        deployments.deploy(session, FAKE_SHA256, by="ada", now=now(session))
    app._require_choice_taken_over(backends.settings, backends.database)


def test_an_engine_that_cannot_run_here_stops_the_worker_before_anything_is_opened(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.app.logs.configure", lambda *_, **__: None)
    monkeypatch.setattr("model.engines._has_cuda", lambda: False)
    with pytest.raises(ConfigurationError, match="torch finds no CUDA device"):
        app.run(change(settings, engine="torch-cuda"))
    assert not settings.storage.data_dir.exists()
