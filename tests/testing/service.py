"""The whole service as a user starts it, `pneumoscreen up` in a directory of its own, with real processes to kill."""

from __future__ import annotations

import io
import os
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import redis

from tests.testing.paths import REPOSITORY
from tests.testing.polling import wait_until

START_TIMEOUT_S = 300.0


class Service:
    """A service that runs until `stop`; starting it again in the same directory continues."""

    def __init__(self, directory: Path, environment: Mapping[str, str] | None = None, *, workers: int = 1) -> None:
        self.data_dir = directory / "data"
        self.output = directory / "up.log"
        self.url = ""
        self._environment = dict(environment or {})
        self._workers = workers
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "cli", "up", "--port", "0", "--workers", str(self._workers)]
        with self.output.open("wb") as log:
            self.process = subprocess.Popen(
                [*command, "--data-dir", str(self.data_dir)],
                stdout=log,
                stderr=log,
                cwd=REPOSITORY,
                env=os.environ | self._environment,
            )
        self.url = wait_until(self._ready_url, timeout_s=START_TIMEOUT_S, what="`ready:`")

    def _ready_url(self) -> str | None:
        text = self.output.read_text()
        if self.process is not None and self.process.poll() is not None:
            raise AssertionError(f"`up` ended with {self.process.returncode}:\n{text}")
        line = re.search(r"^ready: (\S+)$", text, re.MULTILINE)
        return line[1] if line else None

    def stop(self) -> int:
        """Ctrl-C; the exit status."""
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=300)

    @property
    def token(self) -> str:
        return (self.data_dir / "admin-token").read_text().strip()

    def client(self) -> httpx.Client:
        headers = {"Authorization": f"Bearer {self.token}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=120, trust_env=False)

    def upload(self, files: Sequence[tuple[str, bytes]], *, name: str = "test", priority: str = "bulk") -> int:
        """Send files as one job, twenty to a request; its id."""
        with self.client() as client:
            job = client.post("/api/v1/jobs", json={"name": name, "priority": priority}).raise_for_status().json()
            for start in range(0, len(files), 20):
                chunk = [("files", (filename, io.BytesIO(data))) for filename, data in files[start : start + 20]]
                client.post(f"/api/v1/jobs/{job['id']}/images", files=chunk).raise_for_status()
        return int(job["id"])

    def job(self, job_id: int) -> dict[str, Any]:
        with self.client() as client:
            body: dict[str, Any] = client.get(f"/api/v1/jobs/{job_id}").raise_for_status().json()
        return body

    def wait_for_done(self, job_id: int, count: int, *, at_least: bool = False, timeout_s: float = 300) -> None:
        def enough() -> bool:
            done = self.job(job_id)["counts"]["done"]
            return bool(done >= count if at_least else done == count)

        wait_until(enough, timeout_s=timeout_s, what=f"{count} images done, now {self.job(job_id)['counts']}")

    def sql(self, query: str) -> list[Any]:
        """Ask the service's own SQLite file."""
        with closing(sqlite3.connect(self.data_dir / "pneumoscreen.db", timeout=30)) as connection:
            return connection.execute(query).fetchall()

    def worker_pids(self) -> list[int]:
        """Of the living workers that have their model: a worker's name is host:pid:random."""
        pids = [int(name.split(":")[-2]) for (name,) in self.sql("SELECT name FROM workers ORDER BY started_at")]
        return [pid for pid in pids if psutil.pid_exists(pid)]

    def holds(self, worker_pid: int) -> int:
        """How many images this worker has leased."""
        ((count,),) = self.sql(
            f"SELECT count(*) FROM images WHERE state = 'running' AND worker LIKE '%:{worker_pid}:%'"
        )
        return int(count)

    def valkey(self) -> redis.Redis:
        return redis.Redis(unix_socket_path=str(self.data_dir / "valkey" / "valkey.sock"))

    def valkey_pid(self) -> int:
        with closing(self.valkey()) as client:
            return int(client.info("server")["process_id"])

    def log(self, name: str) -> str:
        return (self.data_dir / "logs" / f"{name}.log").read_text()


@contextmanager
def running(environment: Mapping[str, str] | None = None, *, workers: int = 1) -> Iterator[Service]:
    """A service in a fresh directory, stopped at the end. The path is short: a unix socket's name has 100 bytes."""
    with tempfile.TemporaryDirectory(prefix="pns-") as name:
        service = Service(Path(name), environment, workers=workers)
        service.start()
        try:
            yield service
        finally:
            if service.process is not None and service.process.poll() is None:
                service.stop()
