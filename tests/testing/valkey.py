"""A Valkey server in a temporary directory, on a unix socket or an address, that tests may stop and start again."""

from __future__ import annotations

import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from launcher import valkey
from tests.testing.polling import wait_until

TCP_PORT = 6379
"""Where one that listens on an address does; that address is in a network of the test's own."""


class ValkeyServer:
    """Keeps its data, and so the messages in its queues, from `stop` to `start`."""

    def __init__(self, directory: Path, listen_on: str = "") -> None:
        self.socket = directory / "valkey.sock"
        self._address = listen_on
        network = (
            ("--port", str(TCP_PORT), "--bind", listen_on, "--protected-mode", "no") if listen_on else ("--port", "0")
        )
        self._command = [
            *(str(valkey.find_server()), *network, "--unixsocket", str(self.socket), "--dir", str(directory)),
            *("--appendonly", "yes", "--save", "", "--logfile", str(directory / "log")),
        ]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://{self._address}:{TCP_PORT}/0" if self._address else valkey.url(self.socket)

    def start(self) -> None:
        self._process = subprocess.Popen(self._command)
        wait_until(lambda: valkey.answers(self.socket))

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """kill -9."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """It keeps its connections and answers nothing, until `resume`."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def _end(self, number: int) -> None:
        if self._process is not None:
            self._signal(number)
            self._process.wait(timeout=120)
            self._process = None

    def _signal(self, number: int) -> None:
        if self._process is not None:
            self._process.send_signal(number)


@contextmanager
def serve(listen_on: str = "") -> Iterator[ValkeyServer]:
    """A server for the length of the `with` block; listens on an address too if one is given."""
    with tempfile.TemporaryDirectory(prefix="pns-vk-", dir="/tmp") as name:
        server = ValkeyServer(Path(name), listen_on)
        server.start()
        try:
            yield server
        finally:
            server.resume()  # if a test failed while it was paused
            server.stop()
