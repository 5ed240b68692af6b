"""Each fault is made, and home, status, /readyz and /metrics are read: all four say the same."""

from __future__ import annotations

import html
import re
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import fakeredis
import pytest
from sqlalchemy import delete, select, update
from sqlalchemy.exc import OperationalError

from core.errors import StorageUnavailable
from db import heartbeats, workers
from db.session import Database, now
from db.states import ImageState
from db.tables import Deployment, Heartbeat, Image, User, Worker
from storage import marker
from storage.local import LocalBlobStore
from tests.testing import factories
from tests.testing.fakes import FAKE_SHA256
from tests.testing.settings import change
from tests.unit.web.conftest import deploy
from tests.unit.web.health.test_endpoints import client_of, figures
from tests.unit.web.visitor import Page, Visitor
from web.backends import Backends
from web.health.codes import ERRORS, STOP_SCREENING_ALONE, Code

OTHER_SHA256 = "e" * 64


class Fault:
    """What a factory may change: rows, files, and the backends of the application that is read."""

    def __init__(self, backends: Backends, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        self.backends = backends
        self.monkeypatch = monkeypatch
        self.tmp_path = tmp_path
        self.changed: dict[str, Any] = {}

    def settings(self, **changes: Any) -> None:
        self.changed["settings"] = change(self.backends.settings, **changes)

    def queue(self, count: int, *, minutes: float = 0, state: ImageState = ImageState.QUEUED) -> None:
        with self.backends.database.begin() as session:
            at = now(session)
            owner = session.scalars(select(User)).first()
            assert owner is not None
            for row in factories.images(session, factories.job(session, owner), count, prefix=str(state)):
                row.created_at, row.state = at - timedelta(minutes=minutes), state
                row.finished_at = at if state is ImageState.FAILED else None

    def worker(self, name: str, *, silent_s: float = 0, model: str = "f" * 64, paused: str | None = None) -> None:
        with self.backends.database.begin() as session:
            at = now(session) - timedelta(seconds=silent_s)
            workers.register(session, name=name, engine="fake", model_sha256=model, now=at)
            session.flush()
            session.execute(update(Worker).where(Worker.name == name).values(paused_reason=paused))


def database_down(fault: Fault) -> None:
    def refuse(_self: Database) -> Any:
        raise OperationalError("SELECT", {}, Exception("connection refused"))

    fault.monkeypatch.setattr(Database, "read", refuse)


def broker_down(fault: Fault) -> None:
    server = fakeredis.FakeServer()
    server.connected = False
    fault.changed["broker"] = fakeredis.FakeRedis(server=server)


def storage_missing(fault: Fault) -> None:
    (fault.backends.settings.storage.blobs / marker.NAME).unlink()


def storage_foreign(fault: Fault) -> None:
    (fault.backends.settings.storage.blobs / marker.NAME).write_bytes(marker.write("2" * 32))


def storage_down(fault: Fault) -> None:
    def refuse(_self: LocalBlobStore) -> str:
        raise StorageUnavailable("Could not read the image storage: Input/output error.")

    fault.monkeypatch.setattr(LocalBlobStore, "store_id", refuse)


def disk_full(fault: Fault) -> None:
    fault.monkeypatch.setattr(LocalBlobStore, "free_bytes", lambda _: 400_000_000)


def disk_nearly_full(fault: Fault) -> None:
    fault.monkeypatch.setattr(LocalBlobStore, "free_bytes", lambda _: 600_000_000)


def queue_full(fault: Fault) -> None:
    fault.settings(max_queued_images=5, reserved_queue_images=1)
    fault.queue(5)


def queue_nearly_full(fault: Fault) -> None:
    fault.settings(max_queued_images=5, reserved_queue_images=1)
    fault.queue(4)


def no_worker(fault: Fault) -> None:
    with fault.backends.database.begin() as session:
        session.execute(delete(Worker))


def workers_paused(fault: Fault) -> None:
    fault.worker("gpu-1", paused="The image storage is not there.")


def worker_paused(fault: Fault) -> None:
    fault.worker("gpu-2", paused="The image storage is not there.")


def workers_gone(fault: Fault) -> None:
    fault.worker("gpu-2:7:ab", silent_s=30)
    with fault.backends.database.begin() as session:
        session.execute(update(Worker).values(started_at=now(session) - timedelta(hours=1)))
    fault.queue(1)


def stuck(fault: Fault) -> None:
    fault.queue(1, minutes=5)


def slow(fault: Fault) -> None:
    fault.queue(1, minutes=90)
    fault.queue(1, state=ImageState.RUNNING)


def sweeper_stopped(fault: Fault) -> None:
    with fault.backends.database.begin() as session:
        session.execute(update(Heartbeat).values(seen_at=now(session) - timedelta(minutes=3)))


def model_unreadable(fault: Fault) -> None:
    (fault.backends.settings.storage.blobs / FAKE_SHA256[:2] / FAKE_SHA256).unlink()


def model_not_loaded(fault: Fault) -> None:
    deploy(fault.backends, OTHER_SHA256)
    with fault.backends.database.begin() as session:
        session.execute(update(Worker).values(model_problem="It cannot load the model eeeeeeeeeeee: it is damaged."))


def model_unused(fault: Fault) -> None:
    deploy(fault.backends, OTHER_SHA256)


def mixed_models(fault: Fault) -> None:
    with fault.backends.database.begin() as session:
        factories.model(session, OTHER_SHA256, "another")
    fault.worker("gpu-2", model=OTHER_SHA256)


def many_failures(fault: Fault) -> None:
    fault.queue(5, state=ImageState.FAILED)


FAULTS: dict[Code, Callable[[Fault], None]] = {
    Code.DATABASE_DOWN: database_down,
    Code.BROKER_DOWN: broker_down,
    Code.STORAGE_MISSING: storage_missing,
    Code.STORAGE_FOREIGN: storage_foreign,
    Code.STORAGE_DOWN: storage_down,
    Code.DISK_FULL: disk_full,
    Code.DISK_NEARLY_FULL: disk_nearly_full,
    Code.QUEUE_FULL: queue_full,
    Code.QUEUE_NEARLY_FULL: queue_nearly_full,
    Code.NO_WORKER: no_worker,
    Code.WORKERS_PAUSED: workers_paused,
    Code.WORKER_PAUSED: worker_paused,
    Code.WORKERS_GONE: workers_gone,
    Code.STUCK: stuck,
    Code.SLOW: slow,
    Code.SWEEPER_STOPPED: sweeper_stopped,
    Code.MODEL_UNREADABLE: model_unreadable,
    Code.MODEL_NOT_LOADED: model_not_loaded,
    Code.MODEL_UNUSED: model_unused,
    Code.MIXED_MODELS: mixed_models,
    Code.MANY_FAILURES: many_failures,
}


@pytest.fixture
def fault(
    backends: Backends, worker: str, token: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Fault]:
    """A healthy service, to be broken. The marker is put back at the end."""
    path = backends.settings.storage.blobs / marker.NAME
    before = path.read_bytes()
    monkeypatch.setattr(LocalBlobStore, "free_bytes", lambda _: 10**12)
    yield Fault(backends, monkeypatch, tmp_path)
    path.write_bytes(before)


def read_all(fault: Fault, token: str) -> tuple[dict[str, Any], dict[str, float], Visitor]:
    """(/readyz, /metrics, somebody who may read the pages)."""
    changed = Backends(**{name: getattr(fault.backends, name) for name in Backends.__slots__} | fault.changed)
    client = client_of(changed)
    answer = client.get("/readyz")
    assert (answer.status_code == 200) == answer.get_json()["ready"]
    numbers = figures(client)
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"
    return answer.get_json(), numbers, Visitor(client)


def problems(page: Page) -> list[str]:
    return [attributes["data-problem"] for _, attributes in page.elements if "data-problem" in attributes]


def sentence_of(status: Page) -> str:
    match = re.search(r"<strong>(.*?)</strong>", status.html)
    assert match is not None
    return html.unescape(match[1])


def told(numbers: dict[str, float]) -> set[str]:
    return {name.split('"')[1] for name, value in numbers.items() if name.startswith("problem{") and value == 1}


def test_every_code_has_its_fault() -> None:
    assert set(FAULTS) == set(Code)


def test_a_healthy_service_has_no_finding(fault: Fault, token: str) -> None:
    ready, numbers, visitor = read_all(fault, token)
    assert (ready["ready"], ready["problems"], told(numbers)) == (True, [], set())
    assert numbers["disk_free_bytes"] == 10**12
    assert len([name for name in numbers if name.startswith("problem{")]) == len(Code)
    assert "Ready 1 worker is running and nothing waits." in visitor.get("/").text
    assert "All is well. 1 worker is running and nothing waits." in visitor.get("/status").text


@pytest.mark.parametrize("code", [code for code in Code if code is not Code.DATABASE_DOWN])
def test_all_four_say_the_same(fault: Fault, token: str, code: Code) -> None:
    FAULTS[code](fault)
    ready, numbers, visitor = read_all(fault, token)
    assert ready["problems"] == [code]
    assert told(numbers) == {code}
    assert ready["ready"] is (code not in ERRORS - STOP_SCREENING_ALONE)
    home, status = visitor.get("/"), visitor.get("/status")
    assert (problems(home), problems(status)) == ([code], [code])
    assert sentence_of(status) in home.text
    assert "All is well" not in status.text


def test_without_a_database_all_say_so(fault: Fault, token: str) -> None:
    database_down(fault)
    ready, numbers, visitor = read_all(fault, token)
    assert (ready["ready"], ready["problems"], told(numbers)) == (False, ["database_down"], {"database_down"})
    for path in ("/", "/status"):
        page = visitor.get(path)
        assert page.status == 503
        assert "The database does not answer." in page.text


def test_a_worker_that_was_replaced_is_no_news(fault: Fault, token: str) -> None:
    for number in range(14):
        fault.worker(f"gpu-1:{number}:ab", silent_s=60 + number)
        fault.worker(f"old-{number}", silent_s=3000)
    fault.queue(3)
    assert read_all(fault, token)[0]["problems"] == []


def test_a_worker_that_vanishes_while_nothing_waits_is_no_news(fault: Fault, token: str) -> None:
    fault.worker("gpu-2", silent_s=30)
    assert read_all(fault, token)[0]["problems"] == []


@pytest.mark.parametrize("part", ["broker", "storage", "database"])
def test_a_part_that_hangs_is_given_up(fault: Fault, token: str, part: str) -> None:
    over = threading.Event()
    fault.monkeypatch.setattr("web.health.service_health.LIMIT_S", 0.3)
    fault.monkeypatch.setattr("services.storage.LIMIT_S", 0.3)

    def hang(*_: Any, **__: Any) -> None:
        over.wait(60)

    if part == "broker":
        fault.monkeypatch.setattr(fault.backends.broker, "set", hang)
    elif part == "storage":
        fault.monkeypatch.setattr(LocalBlobStore, "store_id", hang)
    else:
        fault.monkeypatch.setattr("web.health.service_health.backlog.read", hang)
    try:
        client = client_of(fault.backends)
        started_s = time.monotonic()
        answers = [client.get("/readyz") for _ in range(3)]
        assert client.get("/healthz").status_code == 200
        assert time.monotonic() - started_s < 30
        problem = {"broker": "broker_down", "storage": "storage_down", "database": "database_down"}[part]
        assert [(answer.status_code, problem in answer.get_json()["problems"]) for answer in answers] == [
            (503, True)
        ] * 3
    finally:
        over.set()


def test_a_report_is_kept_for_a_moment(fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("web.health.service_health.FRESH_S", 60.0)
    asked: list[bool] = []

    def takes_writes(_broker: object) -> bool:
        asked.append(True)
        return True

    monkeypatch.setattr("web.health.service_health.takes_writes", takes_writes)
    client = client_of(fault.backends)
    for _ in range(5):
        assert client.get("/readyz").status_code == 200
    assert asked == [True]


def test_the_forecast_is_made_from_the_last_stretch_of_work(fault: Fault, token: str) -> None:
    fault.queue(240)
    with fault.backends.database.begin() as session:
        at = now(session)
        rows = session.scalars(select(Image).order_by(Image.id)).all()
        for place, row in enumerate(rows[:120]):
            row.state = ImageState.DONE
            seconds = 100 if place < 20 else (place - 20) / 10  # 20 before a pause, then 10 a second
            row.finished_at = at - timedelta(seconds=seconds)
    visitor = read_all(fault, token)[2]
    assert "120 images waiting. At the present pace (" in visitor.get("/status").text
    assert "that takes about 1" in visitor.get("/status").text


@pytest.mark.parametrize(("seconds", "expected"), [(5, []), (60, ["mixed_models"])])
def test_workers_may_take_a_moment_to_change(fault: Fault, token: str, seconds: int, expected: list[str]) -> None:
    mixed_models(fault)
    with fault.backends.database.begin() as session:
        session.execute(update(Deployment).values(since=now(session) - timedelta(seconds=seconds)))
    assert read_all(fault, token)[0]["problems"] == expected


def test_a_sweeper_that_sweeps_shows_its_sign_of_life(fault: Fault) -> None:
    with fault.backends.database.begin() as session:
        at = now(session)
        heartbeats.beat(session, heartbeats.SWEEPER, at + timedelta(seconds=1))
        first = heartbeats.last_seen(session, heartbeats.SWEEPER)
        session.expire_all()
        heartbeats.beat(session, heartbeats.SWEEPER, at + timedelta(minutes=1))
        session.expire_all()
        assert first is not None
        assert heartbeats.last_seen(session, heartbeats.SWEEPER) == at + timedelta(minutes=1)
