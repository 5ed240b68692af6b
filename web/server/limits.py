"""What a client may cost the web process before it is told off."""

from __future__ import annotations

from dataclasses import dataclass

from core.settings import Settings

MAX_HEADER_BYTES = 64 * 1024
"""Of a request's line and headers; also of whatever else comes in a row and is no part of a body."""
MAX_PIPELINED = 16
"""Requests that a client may send ahead on one connection."""
SEND_BUFFER_BYTES = 64 * 1024
"""Of an answer, in the kernel. Left alone it grows to megabytes, made for a reader who takes none of them."""
SWITCH_S = 0.0005
"""After how long the event loop gets Python's lock from a thread that computes; Python's own 5 ms would be three times
of what an answer takes.
"""
IDLE_S = 5
"""How long a connection is kept open for the next request."""
SMALLEST_PIECE_BYTES = 16 * 1024
"""Of an upload that goes to a thread, when there are very many uploads."""
BUFFERED_BYTES = 64_000_000
"""Of all request bodies together that are in memory."""
LINGER_S = 5.0
"""How long an unwanted body is read and dropped after the answer: closing at once could take the answer with it."""


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
    """None behind a proxy, from whose address all connections come: there it is the proxy's to limit them."""
    return None if settings.security.trusted_proxies else settings.web.connections_per_address
