"""The ASGI application: it reads requests in the event loop, and runs Flask in a thread for each of their steps."""

from __future__ import annotations

import asyncio
import contextvars
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from flask import Flask

from core.settings import Settings
from web.intake.multipart import FormReader
from web.intake.refusals import REFUSAL
from web.intake.upload_request import FORM_READER
from web.server import gate, gateway, limits
from web.server.asgi import Receive, Scope, Send
from web.server.body import Body, Disconnected
from web.server.connections import Connections
from web.server.gateway import Call, Environ
from web.server.memory import Memory
from web.server.protocol import PROVEN

Result = TypeVar("Result")

HEALTH = frozenset({"/healthz", "/readyz", "/metrics"})
HEALTH_THREADS = 2
"""Threads for these paths alone, so that they answer while all other threads are busy."""

LONG_THREADS = 1
"""Threads for answers that are made while they are sent. A CSV keeps a core busy for as long as its client takes more
of it: all of them share this thread, and leave the others to requests for which somebody waits.
"""


class Front:
    """The application of one web process."""

    def __init__(self, app: Flask, settings: Settings) -> None:
        sys.setswitchinterval(limits.SWITCH_S)
        self.header_timeout_s = settings.web.header_timeout_s
        self.slowest = limits.slowest(settings)
        self.connections = Connections(settings.web.connections, limits.connections_per_address(settings))
        self.memory = Memory()
        self.app = app
        self.threads = ThreadPoolExecutor(settings.web.threads, thread_name_prefix="request")
        self.long_threads = ThreadPoolExecutor(LONG_THREADS, thread_name_prefix="long")
        self.health_threads = ThreadPoolExecutor(HEALTH_THREADS, thread_name_prefix="health")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await Request(self, scope, receive, send).handle()


class Request:
    """One request. Its steps may run in different threads, but share one context, in which Flask keeps its state."""

    def __init__(self, front: Front, scope: Scope, receive: Receive, send: Send) -> None:
        self._front = front
        self._receive = receive
        self._send = send
        self._pool = front.health_threads if scope["path"] in HEALTH else front.threads
        self._context = contextvars.Context()
        self._environ = gateway.environ(scope)
        self._set_proven: Callable[[], None] = scope["extensions"][PROVEN]["set"]
        headers = dict(scope["headers"])
        self._length = headers.get(b"content-length", b"").decode("latin-1")
        self._expects_continue = b"expect" in headers
        self._answered = False
        self._body = Body(receive, front.slowest)
        self._body.complete = self._length in ("", "0") and b"transfer-encoding" not in headers

    async def handle(self) -> None:
        """Answer it. A client that has gone gets none."""
        try:
            if self._body.complete:
                await self._call(self._environ)
            else:
                await self._take_body()
        except Disconnected:
            return

    async def _take_body(self) -> None:
        values = {**self._environ, "CONTENT_LENGTH": self._length}
        try:
            admitted = await self._in_thread(lambda: gate.admit(self._front.app, values))
            self._set_proven()
            if admitted.form is None:
                await self._take_small(admitted.at_most_bytes)
            else:
                await self._take_upload(admitted.at_most_bytes, admitted.form)
        except Disconnected:
            raise
        except Exception as refusal:
            if self._answered:
                raise
            await self._refuse(refusal)

    async def _take_small(self, at_most_bytes: int) -> None:
        memory = self._front.memory
        with memory.buffer() as buffer:
            async for piece in self._body.pieces(lambda: 1, at_most_bytes):
                memory.extend(buffer, piece)
            await self._call(gateway.with_body(self._environ, buffer))

    async def _take_upload(self, at_most_bytes: int, form: FormReader) -> None:
        memory = self._front.memory
        try:
            with memory.upload():
                async for piece in self._body.pieces(memory.piece_bytes, at_most_bytes):
                    await self._in_thread(partial(form.feed, piece))
            await self._call({**self._environ, FORM_READER: form})
        finally:
            await self._in_thread(form.close)

    async def _refuse(self, refusal: Exception) -> None:
        """Answer instead of reading the body, or the rest of it; then close."""
        await self._call({**self._environ, REFUSAL: refusal}, close=True)

    async def _call(self, values: Environ, *, close: bool = False) -> None:
        call = Call(self._front.app, values)
        self._answered = True  # if Flask itself fails, it is not asked again
        try:
            block = await self._in_thread(call.start)
            headers = [*call.headers, (b"connection", b"close")] if close else call.headers
            await self._send({"type": "http.response.start", "status": call.status, "headers": headers})
            if not call.ended:
                block = await self._send_blocks(call, block)
            if close and not self._expects_continue:
                await self._send({"type": "http.response.body", "body": block, "more_body": True})
                block = b""
                await self._body.drop()
            await self._send({"type": "http.response.body", "body": block, "more_body": False})
        finally:
            if not call.ended:
                await self._in_thread(call.close)

    async def _send_blocks(self, call: Call, block: bytes) -> bytes:
        """Send all but the last block, which is returned. The next one is made when the client has taken this one.

        Raises:
            Disconnected: the client has gone.
        """
        gone = asyncio.create_task(self._until_gone())
        try:
            while not call.ended:
                if block:
                    await self._send({"type": "http.response.body", "body": block, "more_body": True})
                await self._send({"type": "http.response.body", "body": b"", "more_body": True})  # waits for the client
                if gone.done():
                    raise Disconnected
                block = await self._in_thread(call.read, self._front.long_threads if call.is_long else None)
            return block
        finally:
            gone.cancel()

    async def _until_gone(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def _in_thread(self, step: Callable[[], Result], pool: ThreadPoolExecutor | None = None) -> Result:
        return await asyncio.get_running_loop().run_in_executor(pool or self._pool, self._context.run, step)
