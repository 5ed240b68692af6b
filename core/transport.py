"""Kombu's Redis transport, but that a message nobody can read ends there and not the worker that received it.

Kombu takes a list's next item off the broker, parses it, and lets what goes wrong end the process: seven junk
items cost seven restarts of a worker. The item is gone from the broker by then, and a doorbell too few is rung again.
"""

from __future__ import annotations

from queue import Empty
from typing import Any

import structlog
from kombu.transport import TRANSPORT_ALIASES, redis

NAME = "core.transport:Transport"

log = structlog.get_logger()


class Channel(redis.Channel):
    def _brpop_read(self, **options: Any) -> Any:
        try:
            return super()._brpop_read(**options)  # type: ignore[no-untyped-call]  # Kombu has no types
        except (ValueError, TypeError, LookupError, AttributeError) as error:  # no connection error is one of these
            log.warning("message_unreadable", error=type(error).__name__)  # not its text, which may quote the message
            raise Empty from error


class Transport(redis.Transport):
    Channel = Channel


def use() -> None:
    """From now on a Redis URL means this transport, in this process."""
    for scheme in ("redis", "rediss"):
        TRANSPORT_ALIASES[scheme] = NAME
