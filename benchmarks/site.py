"""The processes of a service one by one, so that a part can be measured without the others. SQLite and Valkey."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx

from db import migrate, stores
from db.accounts import users
from db.session import Database, now
from storage.local import LocalBlobStore
from tests.testing import factories, valkey
from tests.testing.paths import REPOSITORY
from tests.testing.polling import wait_until
from tests.testing.ports import free_port

TOKEN_ENV = "PNEUMOSCREEN_TOKEN"  # a variable's name
START_TIMEOUT_S = 600


class Site:
    """The processes, in a directory, each under its name."""

    def __init__(self, directory: Path, stack: ExitStack, environment: Mapping[str, str] | None = None) -> None:
        self.directory = directory
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._stack = stack
        database_url = f"sqlite:///{directory / 'site.db'}"
        migrate.upgrade(database_url)
        self.database = Database(database_url)
        stores.settle(self.database, LocalBlobStore(directory / "data" / "blobs"))
        stack.callback(self.database.dispose)
        with self.database.begin() as session:
            self.token = users.create_token(session, factories.user(session), now=now(session))
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        plain = {name: value for name, value in os.environ.items() if not name.startswith("PNEUMOSCREEN_")}
        self._environment = (
            plain
            | {
                "PNEUMOSCREEN_DATABASE_URL": database_url,
                "PNEUMOSCREEN_REDIS_URL": stack.enter_context(valkey.serve()).url,
                "PNEUMOSCREEN_DATA_DIR": str(directory / "data"),
                "PNEUMOSCREEN_SECRET_KEY": "only for this benchmark",
                "PNEUMOSCREEN_WEB_PORT": str(port),
                "PNEUMOSCREEN_LOG_LEVEL": "WARNING",
                TOKEN_ENV: self.token,
            }
            | dict(environment or {})
        )

    def start(self, name: str, *arguments: str, **variables: str) -> subprocess.Popen[bytes]:
        """`python ARGUMENTS` as the process `name`, with more environment variables."""
        with (self.directory / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, *arguments], cwd=REPOSITORY, env=self._environment | variables, stdout=log, stderr=log
            )
        self.processes[name] = process
        self._stack.callback(stop, process)
        return process

    def start_web(self) -> None:
        self.start("web", "-m", "cli", "web")
        wait_until(lambda: self._readiness() is not None, timeout_s=START_TIMEOUT_S)

    def wait_for_workers(self, count: int) -> None:
        """Until so many have their model."""
        wait_until(lambda: (self._readiness() or 0) >= count, timeout_s=START_TIMEOUT_S)

    def _readiness(self) -> int | None:
        """How many workers are there; None while the web process does not answer."""
        try:
            return int(httpx.get(f"{self.url}/readyz", timeout=30, trust_env=False).json().get("workers", 0))
        except (httpx.HTTPError, ValueError):
            return None


def stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=120)


@contextmanager
def site(environment: Mapping[str, str] | None = None) -> Iterator[Site]:
    """Without any process but Valkey, in a temporary directory; all that were started are stopped at the end."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pns-bench-")))
        yield Site(directory, stack, environment)
