"""Limits of what clients may take of the web process: bytes, requests and time."""

from __future__ import annotations

from dataclasses import dataclass

from core.settings import Settings

MAX_HEADER_BYTES = 64 * 1024
"""Of a request's line and headers, and of anything else that comes before or after a body."""
MAX_PIPELINED = 16
"""Requests that a client may send ahead on one connection."""
SEND_BUFFER_BYTES = 64 * 1024
"""The kernel's buffer for an answer. By default it grows to megabytes, also for a client that reads nothing."""
SWITCH_S = 0.0005
"""After how long a thread that computes gives Python's lock to the event loop. By default it is 5 ms, three times as
long as an answer takes.
"""
IDLE_S = 5
"""How long a connection is kept open for the next request."""
SMALLEST_PIECE_BYTES = 16 * 1024
"""Of an upload, for one call of a thread, when there are very many uploads."""
BUFFERED_BYTES = 64_000_000
"""Of all request bodies in memory together."""
LINGER_S = 5.0
"""How long the rest of a refused body is read and ignored: closing at once could destroy the answer."""


@dataclass(frozen=True, slots=True)
class Rate:
    """At least `bytes_per_s`, averaged over `window_s` of waiting for the client."""

    bytes_per_s: int
    window_s: float

    @property
    def bytes_per_window(self) -> float:
        return self.bytes_per_s * self.window_s


def slowest(settings: Settings) -> Rate:
    return Rate(settings.web.min_bytes_per_s, settings.web.slow_after_s)


def connections_per_address(settings: Settings) -> int | None:
    """None behind a proxy: all connections come from its address, and it has to limit its clients itself."""
    return None if settings.security.trusted_proxies else settings.web.connections_per_address
