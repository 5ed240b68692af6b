"""The directory of an embedded service: made private, checked to be writable, locked against a second launcher."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from core.atomic import write_bytes
from core.errors import ConfigurationError
from core.settings import Settings

STALE_WAIT_S = 20.0
"""Children of a killed launcher keep the lock until they have stopped, at most `lifeline.GRACE_S`."""


def prepare(path: Path) -> Path:
    """Create `path` for its owner alone and prove that it can be written.

    Raises:
        ConfigurationError: it is a file, or cannot be created or written.
    """
    try:
        path = path.expanduser().resolve()
        if path.exists() and not path.is_dir():
            raise ConfigurationError(f"{path} is not a directory; choose another --data-dir.")
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        (path / "logs").mkdir(mode=0o700, exist_ok=True)
        probe = path / f".write-test-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise ConfigurationError(
            f"Cannot write to the data directory {path} ({error.strerror}); choose another --data-dir."
        ) from error
    return path


def of_embedded(settings: Settings) -> Path:
    """The data directory, if all that a service keeps is in it.

    Raises:
        ConfigurationError: database, images or models are elsewhere.
    """
    elsewhere = {
        "DATABASE_URL": settings.storage.database_url.get_secret_value(),
        "STORAGE_URL": settings.storage.storage_url,
        "BLOB_DIR": settings.storage.blob_dir,
        "MODELS_DIR": settings.storage.models_dir,
    }
    if names := [f"PNEUMOSCREEN_{name}" for name, value in elsewhere.items() if value]:
        raise ConfigurationError(
            f"This is for a service whose data is all in its data directory, and {', '.join(names)} is set: "
            "see docs/deployment.md for the back-up of such a service."
        )
    return settings.storage.data_dir.expanduser().resolve()


@contextlib.contextmanager
def locked(path: Path, *, notify: Callable[[str], None], wait_s: float = STALE_WAIT_S) -> Iterator[int]:
    """Hold `<path>/lock`; yields its file descriptor, which children inherit so that it outlives a killed launcher.

    Raises:
        ConfigurationError: a running launcher holds it, or what one left behind did not stop in `wait_s`.
    """
    try:
        fd = os.open(path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise ConfigurationError(
            f"Cannot open {path / 'lock'} ({error.strerror}); choose another --data-dir."
        ) from error
    try:
        _acquire(fd, path, notify, wait_s)
        os.ftruncate(fd, 0)
        os.pwrite(fd, str(os.getpid()).encode(), 0)
        yield fd
    finally:
        os.close(fd)


def _acquire(fd: int, path: Path, notify: Callable[[str], None], wait_s: float) -> None:
    deadline_s = time.monotonic() + wait_s
    told = False
    while True:
        try:
            return fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            owner = os.pread(fd, 20, 0).decode("ascii", "replace") or "unknown"
        if _alive(owner) or time.monotonic() >= deadline_s:
            raise ConfigurationError(
                f"The data directory {path} is in use by process {owner}: stop that one, or choose another --data-dir."
            )
        if not told:
            notify(f"waiting for what process {owner} left running to stop")
            told = True
        time.sleep(0.1)


def _alive(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except (ValueError, OSError):  # unreadable, or another user's: somebody is there
        return True
    return True


def write_secret(path: Path, value: str) -> None:
    """Write `value` and a newline to `path` for its owner alone; never half a file, never readable in between."""
    write_bytes(path, f"{value}\n".encode(), mode=0o600)


def read_secret(path: Path) -> str | None:
    """What `write_secret` wrote; None when there is no such file or nothing in it.

    Raises:
        ConfigurationError: the file is there and cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8").strip() or None
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigurationError(f"Cannot read {path}: {error.strerror}.") from error


def ensure_secret_key(path: Path) -> None:
    """Generate the key that signs session cookies, once: a new one would sign everybody out."""
    if read_secret(path) is None:
        write_secret(path, secrets.token_urlsafe(48))
