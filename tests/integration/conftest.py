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

import pytest
from flask.testing import FlaskClient
from pydantic import SecretStr
from sqlalchemy import func, select
from werkzeug.datastructures import FileStorage

from core.settings import Settings
from db import users, workers
from db.models import Image, Prediction
from db.session import Database, now
from tests import factories, valkey
from tests.conftest import REPOSITORY
from tests.polling import wait_until
from tests.valkey import ValkeyServer
from web.app import create_app
from web.services import Services, connect_all

SWEEPER = "from core import settings; from worker import sweeper; sweeper.run(settings.load())"


@pytest.fixture
def broker() -> Iterator[ValkeyServer]:
    with valkey.serve() as server:
        yield server


class Site:
    """One service: upload through its API, start and stop its processes, look into its database."""

    def __init__(self, settings: Settings, stack: ExitStack) -> None:
        self.settings = settings
        self.services: Services = connect_all(settings)
        self.database: Database = self.services.database
        self._stack = stack
        stack.callback(self.database.dispose)
        stack.callback(self.services.broker.close)
        with self.database.begin() as session:
            token = users.create_token(session, factories.user(session), now=now(session))
        self.client: FlaskClient = create_app(settings, self.services).test_client()
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

    def start_worker(self, forward_s: float = 0.0) -> subprocess.Popen[bytes]:
        """Returns once the worker has its model."""
        before = self.workers()
        process = self._start(["-m", "tests.integration.fake_worker", str(forward_s)])
        wait_until(lambda: process.poll() is not None or self.workers() > before, timeout_s=30)
        assert process.poll() is None
        return process

    def start_sweeper(self) -> subprocess.Popen[bytes]:
        return self._start(["-c", SWEEPER])

    def _start(self, arguments: list[str]) -> subprocess.Popen[bytes]:
        given = {
            "DATABASE_URL": self.settings.database,
            "REDIS_URL": self.settings.redis,
            "DATA_DIR": str(self.settings.data_dir),
            "BATCH_SIZE": str(self.settings.batch_size),
            "LEASE_S": str(self.settings.lease_s),
            "HEARTBEAT_S": str(self.settings.heartbeat_s),
            "SWEEP_INTERVAL_S": str(self.settings.sweep_interval_s),
        }
        plain = {name: value for name, value in os.environ.items() if not name.startswith("PNEUMOSCREEN_")}
        environment = plain | {f"PNEUMOSCREEN_{name}": value for name, value in given.items()}
        process = subprocess.Popen([sys.executable, *arguments], cwd=REPOSITORY, env=environment)
        self._stack.callback(stop, process)
        return process

    def workers(self) -> int:
        with self.database.read() as session:
            return len(workers.alive(session, now(session)))

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
    return process.wait(timeout=30)


@pytest.fixture
def make_site(tmp_path: Path) -> Iterator[Callable[[str, str], Site]]:
    """`make_site(database_url, broker_url)`."""
    with ExitStack() as stack:

        def make(database_url: str, broker_url: str) -> Site:
            (tmp_path / "data").mkdir()
            settings = Settings(
                data_dir=tmp_path / "data",
                database_url=SecretStr(database_url),
                redis_url=SecretStr(broker_url),
                secret_key=SecretStr("a secret for the tests"),
                batch_size=4,
                lease_s=2.0,
                heartbeat_s=0.3,
                sweep_interval_s=0.1,
            )
            return Site(settings, stack)

        yield make


@pytest.fixture
def site(make_site: Callable[[str, str], Site], database_url: str, broker: ValkeyServer) -> Site:
    """Once on SQLite, once on PostgreSQL."""
    return make_site(database_url, broker.url)
