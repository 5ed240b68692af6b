"""The body of a request as it arrives, in pieces. It may be no longer, and come no more slowly, than allowed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from werkzeug.exceptions import RequestEntityTooLarge, RequestTimeout

from web.server.asgi import Receive
from web.server.limits import LINGER_S, Rate


class Disconnected(Exception):
    """The client has gone; nobody waits for an answer."""


class Body:
    """The body of one request."""

    def __init__(self, receive: Receive, slowest: Rate) -> None:
        self._receive = receive
        self._slowest = slowest
        self._waited_s = 0.0
        self._arrived_bytes = 0
        self.complete = False

    async def pieces(self, piece_bytes: Callable[[], int], at_most_bytes: int) -> AsyncIterator[bytes]:
        """The body in pieces of about `piece_bytes`, asked for each; the last one may be smaller.

        Raises:
            Disconnected: the client has gone.
            RequestEntityTooLarge: it is longer than `at_most_bytes`.
            RequestTimeout: it comes too slowly.
        """
        total = gathered = 0
        parts: list[bytes] = []
        while not self.complete:
            part = await self._next()
            parts.append(part)
            gathered += len(part)
            total += len(part)
            if total > at_most_bytes:
                raise RequestEntityTooLarge
            if gathered >= piece_bytes() or (self.complete and gathered):
                yield b"".join(parts)
                parts, gathered = [], 0

    async def drop(self) -> None:
        """Read and ignore the rest for a few seconds: to close while the client sends may destroy the answer."""
        try:
            async with asyncio.timeout(LINGER_S):
                while not self.complete:
                    await self._next()
        except (TimeoutError, Disconnected, RequestTimeout):
            return

    async def _next(self) -> bytes:
        """The next part that arrives. Only time spent waiting for the client counts against its rate."""
        loop = asyncio.get_running_loop()
        started_s = loop.time()
        try:
            async with asyncio.timeout(self._slowest.window_s - self._waited_s):
                message = await self._receive()
        except TimeoutError:
            self._end_window()
            return b""
        if message["type"] == "http.disconnect":
            raise Disconnected
        self.complete = not message["more_body"]
        part: bytes = message["body"]
        self._arrived_bytes += len(part)
        self._waited_s += loop.time() - started_s
        if self._waited_s >= self._slowest.window_s:
            self._end_window()
        return part

    def _end_window(self) -> None:
        if self._arrived_bytes < self._slowest.bytes_per_window and not self.complete:
            raise RequestTimeout(
                "The request came too slowly, or not to its end. Nothing of it was kept: send it again."
            )
        self._waited_s, self._arrived_bytes = 0.0, 0
