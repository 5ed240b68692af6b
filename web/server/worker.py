"""The gunicorn worker: gunicorn's master starts, watches and replaces it; uvicorn's event loop runs in it."""

from __future__ import annotations

import logging
from typing import Any, ClassVar

from uvicorn_worker import UvicornWorker

from web.server.protocol import LimitedProtocol

GRACEFUL_TIMEOUT_S = 10
"""How long requests may take to finish once told to stop."""


class Worker(UvicornWorker):  # type: ignore[misc]  # gunicorn has no types
    """Serves `web.server.front.Front`."""

    CONFIG_KWARGS: ClassVar[dict[str, Any]] = {
        "loop": "asyncio",
        "http": LimitedProtocol,
        "ws": "none",
        "lifespan": "off",
        "interface": "asgi3",
        "access_log": False,
        "server_header": False,
        "proxy_headers": False,  # ProxyFix reads them, for those that `trusted_proxies` counts
        "timeout_graceful_shutdown": GRACEFUL_TIMEOUT_S - 1,  # before gunicorn kills
    }

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        log = logging.getLogger("uvicorn.error")
        log.handlers, log.propagate = [], True  # in the format of our own
        log.setLevel(logging.ERROR)  # what it warns of is a client's mistake
