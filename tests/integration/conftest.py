"""The processes of a service around a real broker and a real database; only the network is a fake."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from pydantic import SecretStr
from sqlalchemy import func, select
from werkzeug.datastructures import FileStorage

from core.settings import PREFIX, Settings
from db import stores, workers
from db.accounts import users
from db.session import Database, now
from db.tables import Image, Prediction
from tests.testing import factories, hosts, valkey
from tests.testing.hosts import Hosts
from tests.testing.paths import REPOSITORY
from tests.testing.polling import wait_until
from tests.testing.ports import answers
from tests.testing.postgres import PostgresServer
from tests.testing.settings import environment, make_settings
from tests.testing.valkey import ValkeyServer
from web.app import create_app
from web.backends import Backends, connect_all

MakeSite = Callable[..., "Site"]
SWEEPER = "from core import settings; from worker import sweeper; sweeper.run(settings.load())"


@pytest.fixture
def broker() -> Iterator[ValkeyServer]:
    with valkey.serve() as server:
        yield server


@pytest.fixture
def two_hosts() -> Iterator[Hosts]:
    """The test is on the first of them."""
    with hosts.two_hosts() as made:
        yield made


class Site:
    """One service: upload through its API, start and stop its processes, look into its database."""

    def __init__(self, settings: Settings, stack: ExitStack) -> None:
        self.settings = settings
        self.backends: Backends = connect_all(settings)
        self.database: Database = self.backends.database
        stores.settle(self.database, self.backends.store)
        self._stack = stack
        stack.callback(self.database.dispose)
        stack.callback(self.backends.broker.close)
        with self.database.begin() as session:
            self.token = token = users.create_token(session, factories.user(session), now=now(session))
        self.client: FlaskClient = create_app(settings, self.backends).test_client()
        self.client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"

    def upload(
        self, count: int, *, priority: str = "bulk", first_seed: int = 0, poison: Mapping[int, bytes] | None = None
    ) -> list[int]:
        """A job with that many images, the content of some of them given; their ids."""
        content = {n: factories.png(first_seed + n, size_px=(16, 16)) for n in range(count)} | dict(poison or {})
        job_id = self.client.post("/api/v1/jobs", json={"priority": priority}).get_json()["id"]
        parts = [FileStorage(io.BytesIO(data), f"{n}.png") for n, data in content.items()]
        answer = self.client.post(f"/api/v1/jobs/{job_id}/images", data={"files": parts}).get_json()
        return [item["id"] for item in answer["images"]]

    def start_worker(self, forward_s: float = 0.0, *, wait: bool = True) -> subprocess.Popen[bytes]:
        """Return once the worker has its model; without `wait` at once, for a worker that may end before."""
        before = self._worker_names()
        process = self._start(["-m", "tests.integration.fake_worker", str(forward_s)])
        if not wait:
            return process
        wait_until(lambda: process.poll() is not None or bool(self._worker_names() - before))
        assert process.poll() is None
        return process

    def start_sweeper(self) -> subprocess.Popen[bytes]:
        return self._start(["-c", SWEEPER])

    def start_web(self) -> subprocess.Popen[bytes]:
        """On the port of the settings; returns once it answers."""
        process = self._start(["-m", "cli", "web"])
        wait_until(lambda: answers(f"http://127.0.0.1:{self.settings.web.port}/healthz"))
        return process

    def _start(self, arguments: list[str]) -> subprocess.Popen[bytes]:
        plain = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
        given = plain | environment(self.settings)
        process = subprocess.Popen([sys.executable, *arguments], cwd=REPOSITORY, env=given)
        self._stack.callback(stop, process)
        return process

    def workers(self) -> int:
        return len(self._worker_names())

    def _worker_names(self) -> set[str]:
        """A killed worker stays among them until its heartbeat is missed."""
        with self.database.read() as session:
            return {worker.name for worker in workers.alive(session, now(session))}

    def count(self, state: str) -> int:
        with self.database.read() as session:
            return session.scalars(select(func.count()).select_from(Image).where(Image.state == state)).one()

    def images(self) -> list[Image]:
        with self.database.read() as session:
            return list(session.scalars(select(Image).order_by(Image.id)))

    def predicted(self) -> list[int]:
        """The id of the image of every prediction, in the order in which they were written."""
        with self.database.read() as session:
            return list(session.scalars(select(Prediction.image_id).order_by(Prediction.id)))


def stop(process: subprocess.Popen[bytes], number: int = signal.SIGTERM) -> int:
    """Ask the process to end; its exit status."""
    if process.poll() is None:
        process.send_signal(number)
    return process.wait(timeout=120)


@pytest.fixture
def make_site(tmp_path: Path) -> Iterator[MakeSite]:
    """`make_site(database_url, broker_url)`; more settings as keywords."""
    with ExitStack() as stack:

        def make(database_url: str, broker_url: str, **more: Any) -> Site:
            (tmp_path / "data").mkdir()
            settings = make_settings(
                data_dir=tmp_path / "data",
                database_url=SecretStr(database_url),
                redis_url=SecretStr(broker_url),
                secret_key=SecretStr("a secret for the tests"),
                batch_size=4,
                lease_s=2.0,
                heartbeat_s=0.3,
                sweep_interval_s=0.1,
                **more,
            )
            return Site(settings, stack)

        yield make


@pytest.fixture
def postgresql_url(postgresql: PostgresServer, migrated_postgresql: str) -> Iterator[str]:
    """A migrated PostgreSQL database without a row."""
    with postgresql.database(migrated_postgresql) as url:
        yield url


@pytest.fixture
def site(make_site: MakeSite, database_url: str, broker: ValkeyServer) -> Site:
    """Once on SQLite, once on PostgreSQL."""
    return make_site(database_url, broker.url)
