"""HTTP/1.1 of one connection: uvicorn's protocol with limits of time and size."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Any, Protocol, cast

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from web.server.connections import Connections
from web.server.limits import MAX_HEADER_BYTES, MAX_PIPELINED, SEND_BUFFER_BYTES, Rate

PROVEN = "pneumoscreen.proven"
"""The ASGI extension with which the application says that it has admitted the client's request."""


class Limited(Protocol):
    """What the protocol asks of the application that it serves: `web.server.front.Front`."""

    connections: Connections
    header_timeout_s: float
    slowest: Rate


class LimitedProtocol(HttpToolsProtocol):
    """Closes a connection whose header or whose reading of an answer takes too long, or whose header is too large."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._limits = cast(Limited, config.app)
        self.proven = False
        self._reading_header = True
        self._outside_body_bytes = 0
        self._header_timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None
        self._unsent_bytes = 0
        self._last_moved_s = self.loop.time()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        if not self._limits.connections.add(self, self.client[0] if self.client else ""):
            transport.abort()
            return
        self._start_header_timer()
        self._write_timer = self.loop.call_later(self._limits.slowest.window_s, self._check_reader)

    def connection_lost(self, exc: Exception | None) -> None:
        self._limits.connections.remove(self)
        for timer in (self._header_timer, self._write_timer, self.timeout_keep_alive_task):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._last_moved_s = self.loop.time()
        self._outside_body_bytes += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._outside_body_bytes > MAX_HEADER_BYTES:
            self._refuse_header()
        elif self._reading_header and self._outside_body_bytes and self._header_timer is None:
            self._start_header_timer()

    def on_headers_complete(self) -> None:
        self._reading_header = False
        self._outside_body_bytes = 0
        self._unsent_bytes = 0  # whoever sends another request has read something
        if self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None
        if len(self.pipeline) >= MAX_PIPELINED:
            raise ValueError("too many requests at once")  # the parser gives up, and the answer is 400
        self.scope["extensions"] = {PROVEN: {"set": self._prove}}
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._outside_body_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._reading_header = True
        self._outside_body_bytes = 0
        super().on_message_complete()

    def on_response_complete(self) -> None:
        self._prove()
        super().on_response_complete()

    def eof_received(self) -> bool:  # type: ignore[override]
        """A client may end its half of the connection after its request, and still gets the answer."""
        if not self._answering or self.cycle.more_body:
            return False
        self.cycle.keep_alive = False
        return True

    def resume_writing(self) -> None:
        self._last_moved_s = self.loop.time()
        self._unsent_bytes = 0
        super().resume_writing()

    @property
    def waiting_since_s(self) -> float | None:
        """See `web.server.connections`."""
        if self.flow.write_paused:
            return self._last_moved_s
        working = self.flow.read_paused or (self._answering and not self.cycle.more_body)
        return None if working else self._last_moved_s

    def evict(self) -> None:
        """Close at once, with a reset: else the kernel would go on trying to send what the client does not take."""
        connection = self.transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()

    def _prove(self) -> None:
        """Note that this client has been admitted or answered (`web.server.connections`)."""
        self.proven = True

    @property
    def _answering(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle  # uvicorn declares it without None
        return cycle is not None and not cycle.response_complete

    def _start_header_timer(self) -> None:
        self._header_timer = self.loop.call_later(self._limits.header_timeout_s, self._header_took_too_long)

    def _header_took_too_long(self) -> None:
        """While an answer is being sent, the next header may wait; then uvicorn's timer of idle connections runs."""
        self._header_timer = None
        if not self._answering:
            self.transport.close()

    def _refuse_header(self) -> None:
        message = b"The header of the request is too large."
        if not self._answering:
            head = b"HTTP/1.1 431 Request Header Fields Too Large\r\nContent-Type: text/plain\r\nConnection: close\r\n"
            self.transport.write(head + b"Content-Length: %d\r\n\r\n" % len(message) + message)
        self.transport.close()

    def _check_reader(self) -> None:
        """Disconnect a client that has taken less of its answer since the last check than the lowest rate allows."""
        slowest = self._limits.slowest
        now_unsent = self.transport.get_write_buffer_size()
        took = self._unsent_bytes - now_unsent
        if self._unsent_bytes and now_unsent and took < slowest.bytes_per_window:
            self.evict()
            return
        self._unsent_bytes = now_unsent
        self._write_timer = self.loop.call_later(slowest.window_s, self._check_reader)
