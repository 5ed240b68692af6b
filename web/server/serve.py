"""Starts gunicorn with the application, and the options that it gets."""

from __future__ import annotations

import os
import resource
from collections.abc import Callable
from typing import Any

from gunicorn.app.base import BaseApplication

from core import logs
from core.settings import Settings
from db.session import parse
from web.app import create_app
from web.server.front import Front
from web.server.limits import IDLE_S
from web.server.logger import Logger
from web.server.worker import GRACEFUL_TIMEOUT_S, Worker

OPEN_FILES = 16_384
SILENT_WORKER_S = 120
"""A gunicorn worker whose event loop shows no life for this long is replaced."""

WhenReady = Callable[[], object]


def serve(settings: Settings, when_ready: WhenReady) -> None:
    """Run gunicorn in this process until it is told to stop.

    Args:
        when_ready: called once, in gunicorn's master process, when its worker processes may start.

    Raises:
        ConfigurationError: there is no key to sign sessions with, or the database's URL is none.
    """
    _check(settings)
    _allow_open_files()
    logs.configure(settings, "web")  # its processes are forked from this one

    class Application(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
        def load_config(self) -> None:
            for name, value in options(settings, when_ready).items():
                self.cfg.set(name, value)

        def load(self) -> Any:
            return Front(create_app(settings), settings)

    Application().run()


def options(settings: Settings, when_ready: WhenReady) -> dict[str, Any]:
    """Gunicorn's settings, by its own names."""
    host = f"[{settings.web.host}]" if ":" in settings.web.host else settings.web.host
    return {
        "bind": f"{host}:{settings.web.port}",
        "worker_class": Worker,
        "logger_class": Logger,
        "workers": settings.web.processes,
        "timeout": SILENT_WORKER_S,
        "graceful_timeout": GRACEFUL_TIMEOUT_S,
        "keepalive": IDLE_S,
        "umask": _umask(),  # gunicorn would set 0
        "proc_name": "pneumoscreen-web",
        "control_socket_disable": True,
        "when_ready": lambda _arbiter: when_ready(),
    }


def _check(settings: Settings) -> None:
    """Report a wrong setting once, here: each worker process would report it again, and be started again."""
    _ = settings.security.signing_key
    parse(settings.storage.database)


def _allow_open_files() -> None:
    """Raise the limit as far as this process may: an upload of a thousand files keeps a spool open for each."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _umask() -> int:
    """The umask of this process, which can only be read by setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
