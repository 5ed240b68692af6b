"""Keeps child processes running: starts them, restarts those that die, stops them in order."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from core.errors import CONFIGURATION_STATUS, ConfigurationError, PneumoscreenError

MAX_DEATHS = 5
DEATH_WINDOW_S = 60.0
FIRST_DELAY_S = 0.5
LOG_LIMIT_BYTES = 20 * 1024**2
TAIL_LINES = 15
POLL_S = 0.05


class ChildFailed(PneumoscreenError):
    """A child process keeps dying; the message ends with the tail of its log."""

    code = "child_failed"


@dataclass(frozen=True, slots=True)
class Spec:
    """One process to keep running. `argv` and `env` are complete; `stop_timeout_s` is how long SIGTERM may take."""

    name: str
    argv: Sequence[str]
    env: Mapping[str, str]
    log_path: Path
    stop_timeout_s: float
    before_start: Callable[[], None] | None = None


@dataclass(slots=True)
class Child:
    """A spec's process, and when the ones before it died (monotonic seconds)."""

    spec: Spec
    process: subprocess.Popen[bytes] | None = None
    deaths_s: deque[float] = field(default_factory=lambda: deque(maxlen=MAX_DEATHS))
    restart_at_s: float = 0.0


class Supervisor:
    """Owns the children. Call `check` a few times a second; it never blocks for long.

    Children inherit `keep_fds` and nothing else, and lead their own process group: Ctrl-C in the terminal reaches
    the launcher alone, which then stops them in order.
    """

    def __init__(
        self,
        *,
        notify: Callable[[str], None],
        keep_fds: Sequence[int] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.children: dict[str, Child] = {}
        self._notify = notify
        self._keep_fds = tuple(keep_fds)
        self._clock = clock

    def start(self, spec: Spec) -> None:
        """Start the process of `spec` and keep it running from now on."""
        child = self.children.setdefault(spec.name, Child(spec))
        self._spawn(child)

    def check(self) -> None:
        """See who died, and start again whose delay is over.

        Raises:
            ChildFailed: a child died `MAX_DEATHS` times in `DEATH_WINDOW_S`.
            ConfigurationError: a child says that its settings are wrong, in the sentence that is the message.
        """
        now_s = self._clock()
        for child in self.children.values():
            if child.process is not None and child.process.poll() is not None:
                self._record_death(child, child.process, now_s)
            if child.process is None and now_s >= child.restart_at_s:
                self._spawn(child)

    def running(self) -> dict[str, bool]:
        """Which children there are, and whether each runs now; one that does not waits to be started again."""
        return {name: child.process is not None for name, child in self.children.items()}

    def stop(self, names: Sequence[str], *, hurry: Callable[[], bool] = lambda: False) -> None:
        """Stop these together: SIGTERM, then SIGKILL for whoever outlasts its timeout or when `hurry` says so.

        Unknown names are skipped.
        """
        children = [self.children.pop(name) for name in names if name in self.children]
        running = [(child.spec, child.process) for child in children if child.process is not None]
        for _, process in running:
            process.terminate()
        started_s = self._clock()
        for spec, process in running:
            while process.poll() is None and not hurry():
                if self._clock() - started_s >= spec.stop_timeout_s:
                    self._notify(f"{spec.name} did not stop in {spec.stop_timeout_s:g} s: killing it")
                    break
                time.sleep(POLL_S)
            _kill_group(process)
            process.wait()

    def _spawn(self, child: Child) -> None:
        spec = child.spec
        if spec.before_start is not None:
            spec.before_start()
        _rotate(spec.log_path)
        with spec.log_path.open("ab") as log:
            child.process = subprocess.Popen(
                spec.argv,
                env=dict(spec.env),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=self._keep_fds,
                start_new_session=True,
            )

    def _record_death(self, child: Child, process: subprocess.Popen[bytes], now_s: float) -> None:
        _kill_group(process)  # what it forked must not hold its port
        child.process = None
        child.deaths_s.append(now_s)
        how = describe_status(process.returncode)
        if process.returncode == CONFIGURATION_STATUS:
            raise ConfigurationError(last_sentence(child.spec.log_path))
        recent = sum(now_s - death_s <= DEATH_WINDOW_S for death_s in child.deaths_s)
        if recent >= MAX_DEATHS:
            raise ChildFailed(
                f"{child.spec.name} ended {recent} times in {DEATH_WINDOW_S:g} s (the last time it {how}). "
                f"The end of {child.spec.log_path}:\n" + tail(child.spec.log_path)
            )
        delay_s = FIRST_DELAY_S * 2 ** (recent - 1)
        child.restart_at_s = now_s + delay_s
        self._notify(f"{child.spec.name} {how}: starting it again in {delay_s:g} s")
        if process.returncode > 0:  # it said why; a killed process did not
            self._notify(tail(child.spec.log_path, lines=5))


def describe_status(returncode: int) -> str:
    """`was killed by SIGKILL` or `exited with status 1`."""
    if returncode >= 0:
        return f"exited with status {returncode}"
    try:
        return f"was killed by {signal.Signals(-returncode).name}"
    except ValueError:
        return f"was killed by signal {-returncode}"


def tail(path: Path, *, lines: int = TAIL_LINES) -> str:
    """The last lines of a log, each indented; reads 16 KiB at most."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 16 * 1024))
            text = file.read().decode("utf-8", "replace")
    except OSError as error:
        return f"  (no log: {error.strerror})"
    return "\n".join(f"  {line}" for line in text.splitlines()[-lines:]) or "  (the log is empty)"


def last_sentence(path: Path) -> str:
    """What a child that ended with CONFIGURATION_STATUS said last (cli/main.py begins it with the program's name)."""
    lines = [line.strip() for line in tail(path).splitlines()]
    said = [line.removeprefix("pneumoscreen: ") for line in lines if line.startswith("pneumoscreen: ")]
    return said[-1] if said else lines[-1]


def _rotate(path: Path) -> None:
    if path.exists() and path.stat().st_size > LOG_LIMIT_BYTES:
        path.replace(path.with_name(path.name + ".1"))


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS answers EPERM for a group of zombies
        os.killpg(process.pid, signal.SIGKILL)
