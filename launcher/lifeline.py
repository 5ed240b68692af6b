"""A process ends when its launcher does, even one killed with -9, on Linux and macOS alike.

The launcher holds the only write end of a pipe and its children the read end. The kernel closes the write end with
the launcher, however it dies; the children read the end of file and stop themselves.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, MutableMapping

VARIABLE = "PNEUMOSCREEN_LIFELINE_FD"
GRACE_S = 15.0
"""How long a process may take to finish its work once the launcher is gone."""


def watch_from_environment(environ: MutableMapping[str, str] = os.environ) -> threading.Thread | None:
    """Watch the pipe that the launcher named in the environment; None when there was no launcher.

    The variable is removed, so that a child which does not inherit the pipe never mistakes another file for it.
    """
    value = environ.pop(VARIABLE, "")
    return watch(int(value)) if value else None


def watch(fd: int, *, grace_s: float = GRACE_S, stop: Callable[[], None] | None = None) -> threading.Thread:
    """On end of file at `fd`: call `stop` (default: SIGTERM to this process), and exit hard after `grace_s`."""
    os.set_inheritable(fd, False)
    thread = threading.Thread(target=_wait, args=(fd, grace_s, stop or _terminate), name="lifeline", daemon=True)
    thread.start()
    return thread


def _wait(fd: int, grace_s: float, stop: Callable[[], None]) -> None:
    while os.read(fd, 1):
        pass
    stop()
    time.sleep(grace_s)
    os._exit(1)


def _terminate() -> None:
    os.kill(os.getpid(), signal.SIGTERM)
