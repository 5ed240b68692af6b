"""A PostgreSQL server in a temporary directory: real, on a unix socket and a free port, gone afterwards."""

from __future__ import annotations

import contextlib
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import psycopg
from sqlalchemy import make_url

from tests.testing.absent import absent
from tests.testing.polling import wait_until
from tests.testing.ports import free_port

START_TIMEOUT_S = 200.0


class PostgresServer:
    """A running server; `process` may be stopped and started by fault tests."""

    def __init__(self, directory: Path, port: int, command: list[str], user: str | None) -> None:
        self.directory = directory
        self.port = port
        self._command = command
        self._user = user
        self._names = (f"test_{number}" for number in itertools.count())
        self.process: subprocess.Popen[bytes] | None = None

    def url(self, name: str) -> str:
        return f"postgresql+psycopg://postgres@/{name}?host={self.directory}&port={self.port}"

    def url_at(self, host: str, url: str) -> str:
        """The same database as `url`, for clients that reach the server at an address it listens on."""
        return f"postgresql+psycopg://postgres@{host}:{self.port}/{make_url(url).database}"

    def new_database(self, template: str = "template1") -> str:
        """The URL of a fresh database: empty, or a copy of the one named `template`, which nobody may be using."""
        name = next(self._names)
        with self._connect() as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self.url(name)

    @contextmanager
    def database(self, template: str = "template1") -> Iterator[str]:
        """The URL of such a database, which is dropped at the end: hundreds of them are slow to remove together."""
        url = self.new_database(template)
        yield url
        with self._connect() as connection:
            connection.execute(f"DROP DATABASE {make_url(url).database} WITH (FORCE)")

    def start(self) -> None:
        with (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen(self._command, stdout=log, stderr=log, user=self._user)
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            try:
                self._connect().close()
                return
            except psycopg.OperationalError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise RuntimeError((self.directory / "log").read_text()) from None
                time.sleep(0.05)

    def stop(self) -> None:
        """Fast shutdown: connections are cut, data is kept."""
        if self.process is not None:
            self.process.send_signal(2)
            self.process.wait(timeout=120)

    def crash(self) -> None:
        """kill -9 of the server and all its processes: the next start replays the log."""
        pids = self._pids()
        self._signal(signal.SIGKILL)
        assert self.process is not None
        self.process.wait(timeout=120)
        wait_until(lambda: all(map(_has_ended, pids)))  # the next server refuses to start beside one of them

    def pause(self) -> None:
        """Connections stay open and nothing is answered, until `resume`."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def cut_connections(self) -> None:
        with self._connect() as connection:
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")

    def _signal(self, number: int) -> None:
        for pid in self._pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def _pids(self) -> list[int]:
        """The server's, then those of its connections, which lead process groups of their own."""
        if self.process is None or self.process.poll() is not None:
            return []
        server = psutil.Process(self.process.pid)
        return [server.pid, *(child.pid for child in server.children())]

    def _connect(self) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(
            host=str(self.directory), port=self.port, user="postgres", dbname="postgres", autocommit=True
        )


def programs() -> Path:
    """The folder of `pg_dump` and its like; the test is skipped where PostgreSQL is not installed."""
    return _binaries() or absent("PostgreSQL's client programs are not installed")


def installed() -> bool:
    """Whether this machine has PostgreSQL's server programs."""
    return _binaries() is not None


@contextmanager
def serve(listen_on: str = "") -> Iterator[PostgresServer]:
    """A server for the length of the `with` block, on a unix socket and, if given, an address.

    Skips the test if PostgreSQL is not installed, except in CI.
    """
    binaries = _binaries()
    if binaries is None:
        absent("PostgreSQL's server programs (initdb, postgres) are not installed")
    user = _unprivileged_user()
    in_memory = Path("/dev/shm")
    place = in_memory if os.access(in_memory, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="pns-pg-", dir=place) as name:
        directory = Path(name)
        if user is not None:
            shutil.chown(directory, user)
        data = directory / "data"
        initdb = [str(binaries / "initdb"), "-D", str(data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"]
        subprocess.run(initdb, check=True, capture_output=True, user=user, cwd="/")
        with (data / "pg_hba.conf").open("a") as access:
            access.write("host all all samenet trust\n" if listen_on else "")
        port = free_port()
        listen = f"-clisten_addresses={listen_on}"
        options = [f"-k{directory}", f"-p{port}", listen, "-cfsync=off", "-cmax_connections=200"]
        command = [str(binaries / "postgres"), "-D", str(data), *options]
        server = PostgresServer(directory, port, command, user)
        server.start()
        try:
            yield server
        finally:
            server.resume()  # if a test failed while it was paused
            server.stop()


def _binaries() -> Path | None:
    """The folder of `initdb` and `postgres`: Debian keeps them off the PATH."""
    candidates = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: int(p.parent.name), reverse=True)
    on_path = shutil.which("initdb")
    if on_path is not None:
        candidates.append(Path(on_path).resolve().parent)
    return next((c for c in candidates if (c / "initdb").exists() and (c / "postgres").exists()), None)


def _unprivileged_user() -> str | None:
    """PostgreSQL refuses to run as root: whom to run it as instead, or None when we are not root."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def _has_ended(pid: int) -> bool:
    """Also true of a process that has ended and that its parent has not waited for."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
