"""One process of the service that is started again when it dies, as Docker or `pneumoscreen up` would."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from tests.testing.paths import REPOSITORY

RESTART_S = 0.5
STOP_TIMEOUT_S = 40.0


class Process:
    """Leads a process group of its own, so that a signal reaches what it forked too."""

    def __init__(
        self, name: str, argv: Sequence[str], env: Mapping[str, str], log: Path, keep_fds: Sequence[int]
    ) -> None:
        self.name = name
        self.log = log
        self._argv = argv
        self._env = env
        self._keep_fds = keep_fds
        self._lock = threading.RLock()
        self._popen: subprocess.Popen[bytes] | None = None
        self._restart_at_s = 0.0
        self.wanted = False

    @property
    def pid(self) -> int:
        pid = self.pid_if_running()
        assert pid is not None, f"{self.name} is not running"
        return pid

    def pid_if_running(self) -> int | None:
        popen = self._popen  # read once: the thread that restarts it may put None there at any time
        return popen.pid if popen is not None and popen.poll() is None else None

    def pids(self) -> list[int]:
        """The process and what it forked."""
        return [self.pid, *(child.pid for child in psutil.Process(self.pid).children())]

    @property
    def running(self) -> bool:
        return self.pid_if_running() is not None

    def start(self) -> None:
        with self._lock:
            self.wanted = True
            with self.log.open("ab") as log:
                self._popen = subprocess.Popen(
                    self._argv,
                    cwd=REPOSITORY,
                    env=dict(self._env),
                    stdout=log,
                    stderr=log,
                    pass_fds=self._keep_fds,
                    start_new_session=True,
                )

    def restart_if_ended(self) -> None:
        """Called again and again: once the process has ended, start it again after RESTART_S."""
        with self._lock:
            if self._popen is not None and self._popen.poll() is not None:
                self.signal(signal.SIGKILL)  # what it forked must not hold its port
                self._popen = None
                self._restart_at_s = time.monotonic() + RESTART_S
            if self.wanted and self._popen is None and time.monotonic() >= self._restart_at_s:
                self.start()

    def signal(self, number: int) -> None:
        """Send a signal to the whole group; a group that has gone is no error."""
        with self._lock, contextlib.suppress(ProcessLookupError):
            if self._popen is not None:
                os.killpg(self._popen.pid, number)

    def terminate(self) -> int:
        """SIGTERM to the process itself, as an orchestrator sends it; its exit status. It is not started again."""
        with self._lock:
            self.wanted = False
            popen = self._popen
        if popen is None:
            return 0
        popen.terminate()
        status = popen.wait(STOP_TIMEOUT_S)
        with self._lock:
            self.signal(signal.SIGKILL)
            self._popen = None
        return status

    def kill(self) -> None:
        """kill -9; it is started again."""
        self.signal(signal.SIGKILL)

    def end(self) -> None:
        """Kill it at the end of a stack, even if it is stopped (SIGSTOP)."""
        with self._lock:
            self.wanted = False
            self.signal(signal.SIGKILL)
            if self._popen is not None:
                self._popen.wait(10)
                self._popen = None
