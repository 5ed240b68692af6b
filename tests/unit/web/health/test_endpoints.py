"""What load balancers and Prometheus ask, without a password and without a patient in the answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import fakeredis
import pytest
from flask.testing import FlaskClient

from db import workers
from db.session import Database, now
from tests.testing import factories
from tests.testing.fakes import FAKE_SHA256
from web.app import create_app
from web.backends import Backends


def client_of(backends: Backends, **changed: Any) -> FlaskClient:
    values = {name: getattr(backends, name) for name in Backends.__slots__} | changed
    return create_app(values["settings"], Backends(**values)).test_client()


def no_broker() -> fakeredis.FakeRedis:
    server = fakeredis.FakeServer()
    server.connected = False
    return fakeredis.FakeRedis(server=server)


def no_database(tmp_path: Path) -> Database:
    return Database(f"sqlite:///{tmp_path}/no/such/folder/x.db")


def figures(client: FlaskClient) -> dict[str, float]:
    lines = client.get("/metrics").get_data(as_text=True).splitlines()
    pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    return {name.removeprefix("pneumoscreen_"): float(value) for name, value in pairs}


def register_worker(backends: Backends) -> None:
    with backends.database.begin() as session:
        workers.register(session, name="w", engine="fake", model_sha256=FAKE_SHA256, now=now(session))


def test_a_process_that_answers_is_healthy(browser: FlaskClient) -> None:
    response = browser.get("/healthz")
    assert (response.status_code, response.get_json()) == (200, {"status": "ok"})


def test_it_is_healthy_though_database_and_broker_are_down(backends: Backends, tmp_path: Path) -> None:
    client = client_of(backends, database=no_database(tmp_path), broker=no_broker())
    assert client.get("/healthz").status_code == 200


def test_it_is_ready_with_all_its_parts(browser: FlaskClient, worker: str) -> None:
    response = browser.get("/readyz")
    assert response.status_code == 200
    assert response.get_json() == {"ready": True, "database": True, "broker": True, "workers": 1, "problems": []}


def test_the_figures_of_an_idle_service_are_zero(browser: FlaskClient, worker: str) -> None:
    seen = figures(browser)
    assert [seen.pop(name) for name in ("ready", "broker_up", "workers_alive")] == [1, 1, 1]
    assert seen.pop("disk_free_bytes") > 0
    assert set(seen.values()) == {0}


def test_the_figures_count_what_waits(browser: FlaskClient, backends: Backends) -> None:
    register_worker(backends)
    with backends.database.begin() as session:
        factories.images(session, factories.job(session, factories.user(session, "bob")), 3)
    backends.broker.rpush("bulk", "a", "b")
    seen = figures(browser)
    assert (seen["images_queued"], seen["workers_alive"], seen["broker_messages"]) == (3, 1, 2)
    assert 0 <= seen["oldest_queued_seconds"] < 60


def test_figures_are_told_while_the_broker_is_down(backends: Backends) -> None:
    seen = figures(client_of(backends, broker=no_broker()))
    assert seen["broker_up"] == 0
    assert "broker_messages" not in seen


def test_figures_are_told_while_the_database_is_down(backends: Backends, tmp_path: Path) -> None:
    seen = figures(client_of(backends, database=no_database(tmp_path)))
    assert (seen["ready"], seen['problem{code="database_down"}'], seen["broker_up"]) == (0, 1, 1)
    assert "images_queued" not in seen


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_nothing_of_a_patient_is_told_to_strangers(browser: FlaskClient, backends: Backends, path: str) -> None:
    with backends.database.begin() as session:
        job = factories.job(session, factories.user(session, "bob"), name="mueller")
        factories.images(session, job, 1, prefix="mueller")
    assert "mueller" not in browser.get(path).get_data(as_text=True)
