"""The operator's page; `test_service_health.py` has what it calls wrong."""

from __future__ import annotations

from datetime import timedelta

import pytest
import redis

from db import workers
from db.session import now
from db.states import ImageState
from tests.testing.fakes import FAKE_SHA256
from tests.unit.web.conftest import AddJob
from tests.unit.web.visitor import Visitor
from web.backends import Backends


def test_the_page_of_a_healthy_service(reader: Visitor, add_job: AddJob, worker: str) -> None:
    add_job(("a.png", 0.9), ("b.png", ImageState.FAILED))
    text = reader.get("/status").text
    assert "All is well. 1 worker is running and nothing waits." in text
    assert "gpu-1 Alive fake fake-brightness ffffffffffff" in text
    assert "Database Reachable SQLite Broker Reachable" in text
    assert "Image storage Reachable Folder, " in text
    assert "1 Done" not in text
    assert "Done in the last hour 1 " in text


def test_the_page_lists_a_silent_worker_for_an_hour(reader: Visitor, backends: Backends, worker: str) -> None:
    with backends.database.begin() as session:
        for name, minutes in (("gpu-2", 50), ("gpu-3", 70)):
            at = now(session) - timedelta(minutes=minutes)
            workers.register(session, name=name, engine="fake", model_sha256=FAKE_SHA256, now=at)
    text = reader.get("/status").text
    assert "gpu-2 Silent" in text
    assert "50 minutes ago" in text
    assert "gpu-3" not in text


def test_the_page_while_the_broker_is_down(
    reader: Visitor, backends: Backends, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> bool:
        raise redis.ConnectionError("connection refused")

    monkeypatch.setattr(backends.broker, "set", refuse)
    text = reader.get("/status").text
    assert "The broker does not answer, or takes no messages." in text
    assert "Broker Not reachable" in text
    assert "No worker has been seen in the last hour." in text
