"""The whole service in real processes: Valkey, SQLite or PostgreSQL, web, two workers, sweeper."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from pydantic import SecretStr
from sqlalchemy import func, select

from core.queue import connect, make_celery
from core.settings import Settings
from db import migrate, stores
from db.accounts import users
from db.session import Database, now
from db.states import ImageState
from db.tables import Image, Worker
from storage.open import open_store
from tests.faults.clock import Clock
from tests.faults.points import VARIABLE, Orders
from tests.faults.process import Process
from tests.faults.profile import Profile
from tests.testing import factories, postgres, valkey
from tests.testing.frozen_link import Link, link
from tests.testing.polling import wait_until
from tests.testing.ports import free_port
from tests.testing.postgres import PostgresServer
from tests.testing.settings import environment, make_settings
from tests.testing.valkey import ValkeyServer

WORKERS = 2
BLOB_SPACE_BYTES = 96 * 1024**2
"""Of a disk that a row can fill: images, and a checkpoint twice, as a blob and as the spool of its import."""
START_TIMEOUT_S = 240.0


@dataclass(frozen=True, slots=True)
class Kind:
    """What a stack is made of."""

    database: str
    profile: Profile
    real_model: bool = False
    small_disk: bool = True
    """Blobs on a file system that a row may fill; it has room for some thousand images."""


class Stack:
    """A running service and the servers behind it. `settings` are those of all its processes."""

    def __init__(self, kind: Kind, directory: Path, exits: ExitStack) -> None:
        self.kind = kind
        self.directory = directory
        self.orders = Orders(directory / "orders")
        self.valkey: ValkeyServer = exits.enter_context(valkey.serve())
        self.postgresql: PostgresServer | None = None
        self.link: Link | None = None
        if kind.database == "postgresql":
            self.postgresql = exits.enter_context(postgres.serve())
            self.link = exits.enter_context(self._link_to(self.postgresql))
        self.on_tmpfs = exits.enter_context(_blob_directory(directory / "blobs", small=kind.small_disk))
        self.settings = self._make_settings()
        migrate.upgrade(self.settings.storage.database)
        self.database = Database(self.settings.storage.database)
        stores.settle(self.database, open_store(self.settings))
        self.clock = Clock(directory / "clock", self.database)
        self.celery = make_celery(self.settings)
        self.broker = connect(self.settings)
        exits.callback(self.database.dispose)
        exits.callback(self.broker.close)
        with self.database.begin() as session:
            self.token = users.create_token(session, factories.user(session), now=now(session))
        self._lifeline_fd, write_fd = os.pipe()
        exits.callback(os.close, self._lifeline_fd)
        exits.callback(os.close, write_fd)
        self.web = self._process("web", "-m", "tests.faults.web_process")
        self.sweeper = self._process("sweeper", "-m", "tests.faults.sweeper_process")
        self.workers = [self._process(f"worker-{n}", "-m", "tests.faults.worker_process") for n in range(WORKERS)]
        self.processes = [self.web, self.sweeper, *self.workers]
        self._exits = exits
        self._supervise(exits)

    def _link_to(self, server: PostgresServer) -> AbstractContextManager[Link]:
        """A link through which all processes of the service reach the server."""
        socket_name = f".s.PGSQL.{server.port}"
        (self.directory / "link").mkdir()
        return link(self.directory / "link" / socket_name, server.directory / socket_name)

    def _make_settings(self) -> Settings:
        profile = self.kind.profile
        data = self.directory / "data"
        data.mkdir()
        url = f"sqlite:///{data / 'pneumoscreen.db'}"
        if self.postgresql is not None:
            url = self.postgresql.new_database().replace(str(self.postgresql.directory), str(self.directory / "link"))
        return make_settings(
            data_dir=data,
            blob_dir=self.directory / "blobs",
            database_url=SecretStr(url),
            redis_url=SecretStr(self.valkey.url),
            secret_key=SecretStr("a secret for the tests"),
            web_port=free_port(),
            batch_size=profile.batch_size,
            lease_s=profile.lease_s,
            heartbeat_s=profile.heartbeat_s,
            sweep_interval_s=profile.sweep_interval_s,
            stale_s=profile.stale_s,
            min_free_disk_bytes=0,  # the blob store is small, and a row fills it to the last byte
        )

    def _process(self, name: str, *arguments: str) -> Process:
        plain = {key: value for key, value in os.environ.items() if not key.startswith(("PNEUMOSCREEN_", "COV_"))}
        ours = environment(self.settings) | {
            "PNEUMOSCREEN_LIFELINE_FD": str(self._lifeline_fd),
            "PYTHONWARNINGS": "ignore",
            VARIABLE: str(self.orders.directory),
            "FAULT_FORWARD_S": str(self.kind.profile.forward_s),
        }
        ours |= {"FAULT_REAL_MODEL": "1"} if self.kind.real_model else {}
        ours |= self.clock.environment
        log = self.directory / f"{name}.log"
        return Process(name, [sys.executable, *arguments], plain | ours, log, [self._lifeline_fd])

    def _supervise(self, exits: ExitStack) -> None:
        stop = threading.Event()

        def loop() -> None:
            while not stop.wait(0.02):
                for process in list(self.processes):
                    process.restart_if_ended()

        def end() -> None:
            stop.set()
            thread.join()
            for process in self.processes:
                process.end()

        thread = threading.Thread(target=loop, name="supervise", daemon=True)
        thread.start()
        exits.callback(end)

    def second_sweeper(self) -> Process:
        """Another sweeper, not started yet; `dismiss` ends it."""
        second = self._process("sweeper-2", "-m", "tests.faults.sweeper_process")
        self.processes.append(second)
        return second

    def dismiss(self, process: Process) -> int:
        """End a process for good; its exit status."""
        self.processes.remove(process)
        return process.terminate()

    def start(self) -> None:
        for process in self.processes:
            process.start()
        self.settle()

    def settle(self) -> None:
        """Withdraw all orders and wait until everything runs again, as a row needs it at its start."""
        self.orders.clear()
        for process in self.processes:
            process.wanted = True
        wait_until(self._is_whole, timeout_s=START_TIMEOUT_S, what="web, sweeper and both workers to be up")

    def _is_whole(self) -> bool:
        if not all(process.running for process in self.processes):
            return False
        try:
            answer = httpx.get(f"{self.url}/readyz", timeout=5, trust_env=False)
        except httpx.HTTPError:
            return False
        return answer.status_code == 200 and all(map(self.is_ready, self.workers))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.settings.web.port}"

    def client(self, timeout_s: float = 120.0) -> httpx.Client:
        headers = {"Authorization": f"Bearer {self.token}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=timeout_s, trust_env=False)

    def name_of(self, worker: Process) -> str | None:
        """The name under which it leases images, once it has its model: host:pid:random."""
        pid = worker.pid_if_running()
        if pid is None:
            return None
        with self.database.read() as session:
            # Not `workers.alive`: the clock of the processes may be another one than ours.
            names = session.scalars(select(Worker.name)).all()
        return next((name for name in names if name.split(":")[-2] == str(pid)), None)

    def held_by(self, worker: Process) -> int:
        """How many images it has leased."""
        name = self.name_of(worker)
        query = select(func.count()).select_from(Image).where(Image.worker == name, Image.state == ImageState.RUNNING)
        with self.database.read() as session:
            return session.scalars(query).one() if name else 0

    def busy_worker(self) -> Process:
        """A worker that has leased images."""
        busy: Process = wait_until(
            lambda: next((worker for worker in self.workers if self.held_by(worker)), None),
            timeout_s=30,
            what="a worker at work",
        )
        return busy

    def is_ready(self, worker: Process) -> bool:
        """Whether it runs and has its model."""
        return worker.running and self.name_of(worker) is not None

    @property
    def disk_is_half_full(self) -> bool:
        """Whether the images of earlier runs fill half of its small disk."""
        disk = shutil.disk_usage(self.settings.storage.blobs)
        return self.on_tmpfs and disk.used * 2 > disk.total

    def tails(self, lines: int) -> list[str]:
        """The last lines of each log."""
        return [
            f"--- {process.name}\n" + "\n".join(process.log.read_text(errors="replace").splitlines()[-lines:])
            for process in self.processes
            if process.log.exists()
        ]

    def logs(self) -> str:
        return "".join(process.log.read_text(errors="replace") for process in self.processes)


@contextmanager
def running(kind: Kind) -> Iterator[Stack]:
    """A service in a fresh directory. The path is short: a unix socket's name has 100 bytes."""
    with tempfile.TemporaryDirectory(prefix="pns-f-", dir="/tmp") as name, ExitStack() as exits:
        stack = Stack(kind, Path(name), exits)
        stack.start()
        yield stack


@contextmanager
def _blob_directory(path: Path, *, small: bool) -> Iterator[bool]:
    """`path`, `small` as a file system of its own that can run full; False where we may mount none, or shall not."""
    path.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={BLOB_SPACE_BYTES}", "tmpfs", str(path)]
    try:
        mounted = (
            small and os.geteuid() == 0 and subprocess.run(mount, capture_output=True, check=False).returncode == 0
        )
    except FileNotFoundError:
        mounted = False
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(path)], check=True)
