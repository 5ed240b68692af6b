"""An S3-compatible server in a process of its own: moto, the most complete one that installs from a package index.

It keeps objects in memory and speaks the protocol (buckets, multipart, ranges, checksums); it takes any signature.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import httpx
import obstore
from obstore.store import S3Store

from tests.testing.polling import wait_until
from tests.testing.ports import free_port

BUCKET = "radiographs"
START_TIMEOUT_S = 200.0


class ObjectServer:
    """Listens on `host`; makes the bucket that `settings` name."""

    def __init__(self, host: str) -> None:
        self.host = host
        self.port = free_port()
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
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(self._makes_bucket, timeout_s=START_TIMEOUT_S)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(timeout=120)
            self._process = None

    def pause(self) -> None:
        """Take connections and answer none."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def objects(self) -> list[str]:
        """The names of all objects in the bucket."""
        return [item["path"] for page in obstore.list(self._bucket()) for item in page]

    def overwrite(self, sha256: str, data: bytes) -> None:
        """Put other bytes where a blob is."""
        obstore.put(self._bucket(), f"images/{sha256[:2]}/{sha256}", data)

    def _bucket(self) -> S3Store:
        return S3Store(
            BUCKET,
            endpoint=self.endpoint,
            region="us-east-1",
            access_key_id=self.settings["s3_access_key_id"],
            secret_access_key=self.settings["s3_secret_access_key"],
            client_options={"allow_http": True},
        )

    def _makes_bucket(self) -> bool:
        try:
            return httpx.put(f"{self.endpoint}/{BUCKET}", trust_env=False, timeout=20).is_success
        except httpx.TransportError:
            assert self._process is not None
            assert self._process.poll() is None
            return False


@contextmanager
def serve(host: str = "127.0.0.1") -> Iterator[ObjectServer]:
    """A server for the length of the `with` block."""
    server = ObjectServer(host)
    server.start()
    try:
        yield server
    finally:
        server.stop()
