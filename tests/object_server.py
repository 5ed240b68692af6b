"""An S3-compatible server in a process of its own: moto, the most complete one that installs from a package index.

It keeps objects in memory and speaks the protocol (buckets, multipart, ranges, checksums); it takes any signature.
"""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import httpx

from tests.polling import wait_until

BUCKET = "radiographs"


class ObjectServer:
    """Listens on `host`; `stop` and `start` make it lose everything, like a bucket that was emptied."""

    def __init__(self, host: str = "127.0.0.1", prefix: Sequence[str] = ()) -> None:
        self.host = host
        self.port = _free_port()
        self._prefix = prefix
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def endpoint(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def settings(self) -> Mapping[str, str]:
        """What `core.settings.Settings` needs to store there."""
        return {
            "storage_url": f"s3://{BUCKET}/images",
            "s3_endpoint": self.endpoint,
            "s3_access_key_id": "an-access-key",
            "s3_secret_access_key": "a secret of the object storage",
        }

    def start(self) -> None:
        command = [sys.executable, "-m", "moto.server", "-H", self.host, "-p", str(self.port)]
        self._process = subprocess.Popen([*self._prefix, *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(self._makes_bucket, timeout_s=60)

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout=20)
            self._process = None

    def objects(self) -> str:
        """The server's own list of what it holds, as XML."""
        return httpx.get(f"{self.endpoint}/{BUCKET}", trust_env=False).raise_for_status().text

    def overwrite(self, sha256: str, data: bytes) -> None:
        """Put other bytes where a blob is."""
        url = f"{self.endpoint}/{BUCKET}/images/{sha256[:2]}/{sha256}"
        httpx.put(url, content=data, trust_env=False).raise_for_status()

    def _makes_bucket(self) -> bool:
        try:
            return httpx.put(f"{self.endpoint}/{BUCKET}", trust_env=False, timeout=20).is_success
        except httpx.TransportError:
            assert self._process is not None
            assert self._process.poll() is None
            return False


@contextmanager
def serve() -> Iterator[ObjectServer]:
    server = ObjectServer()
    server.start()
    try:
        yield server
    finally:
        server.stop()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
