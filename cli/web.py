"""`pneumoscreen web`: pages and API, served by uvicorn under gunicorn. Never decodes an image, never imports torch."""

from __future__ import annotations

import os
import resource
import threading
from typing import Any

from gunicorn.app.base import BaseApplication

from core import logs, settings
from core.settings import Settings
from db.session import parse
from launcher import lifeline
from web.app import create_app
from web.server.front import Front
from web.server.limits import IDLE_S
from web.server.logger import Logger
from web.server.worker import GRACEFUL_TIMEOUT_S, Worker

OPEN_FILES = 16_384
SILENT_WORKER_S = 120
"""A gunicorn worker whose event loop shows no life for this long is replaced."""


def web() -> None:
    """Serve the pages and the API (one of the service's processes).

    Settings come from PNEUMOSCREEN_* variables, such as PNEUMOSCREEN_WEB_PORT.
    `pneumoscreen up` starts this and everything else at once.

    Example:

      PNEUMOSCREEN_WEB_PORT=8080 pneumoscreen web
    """
    loaded = settings.load()
    _check(loaded)
    serve(loaded)


def _check(settings: Settings) -> None:
    """Tell a wrong setting here, once: each of the server's processes would tell it again and be started again.

    Raises:
        ConfigurationError: there is no key to sign sessions with, or the database's URL is none.
    """
    _ = settings.security.signing_key
    parse(settings.storage.database)


def serve(settings: Settings) -> None:
    """Run gunicorn in this process until it is told to stop."""
    _allow_open_files()
    logs.configure(settings, "web")  # its processes are forked from this one

    class Application(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
        def load_config(self) -> None:
            for name, value in options(settings).items():
                self.cfg.set(name, value)

        def load(self) -> Any:
            return Front(create_app(settings), settings)

    Application().run()


def options(settings: Settings) -> dict[str, Any]:
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
        "when_ready": _watch_lifeline,
    }


def _allow_open_files() -> None:
    """Raise the limit as far as we may: an upload of a thousand files holds a spool open for each."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _watch_lifeline(_arbiter: object) -> threading.Thread | None:
    """In the master alone: its workers stop with it."""
    return lifeline.watch_from_environment()
