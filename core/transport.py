"""Kombu's Redis transport, changed so that neither an unreadable message nor a full broker ends the worker.

Kombu takes a list's next item off the broker, parses it, and lets what goes wrong end the process: seven junk
items cost seven restarts of a worker. The item is gone from the broker by then; the sweeper sends it again.

A broker that has reached its `maxmemory` refuses what Kombu writes beside the messages (which of them are not yet
acknowledged, which queue is bound), and that ends the process too. We need none of it: a message is only a hint.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from queue import Empty
from typing import Any

import structlog
from kombu.transport import TRANSPORT_ALIASES, redis, virtual
from redis.exceptions import ResponseError

NAME = "core.transport:Transport"

log = structlog.get_logger()


@contextmanager
def _refusals_logged(what: str) -> Iterator[None]:
    """Log a write that the broker refuses, and go on."""
    try:
        yield
    except ResponseError as error:
        log.warning("broker_refuses_writes", what=what, error=type(error).__name__)


class QoS(redis.QoS):
    def append(self, message: Any, delivery_tag: str) -> None:
        with _refusals_logged("unacknowledged message"):
            super().append(message, delivery_tag)  # type: ignore[no-untyped-call]  # Kombu has no types
            return
        virtual.QoS.append(self, message, delivery_tag)  # in this process alone

    def restore_visible(self, *arguments: Any, **options: Any) -> None:
        with _refusals_logged("restoring messages"):
            super().restore_visible(*arguments, **options)  # type: ignore[no-untyped-call]


class Channel(redis.Channel):
    QoS = QoS

    def _queue_bind(self, *arguments: Any) -> None:
        with _refusals_logged("binding of a queue"):  # whoever publishes binds it too
            super()._queue_bind(*arguments)  # type: ignore[no-untyped-call]

    def _brpop_read(self, **options: Any) -> Any:
        try:
            return super()._brpop_read(**options)  # type: ignore[no-untyped-call]
        except (ValueError, TypeError, LookupError, AttributeError) as error:  # no connection error is one of these
            log.warning("message_unreadable", error=type(error).__name__)  # not its text, which may quote the message
            raise Empty from error


class Transport(redis.Transport):
    Channel = Channel


def use() -> None:
    """Make Redis URLs mean this transport, from now on and in this process."""
    for scheme in ("redis", "rediss"):
        TRANSPORT_ALIASES[scheme] = NAME
