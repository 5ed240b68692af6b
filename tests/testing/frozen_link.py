"""A link to a server that tests may freeze: as behind a firewall, nothing passes any more and nothing is closed."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CHUNK_BYTES = 65_536


class Link:
    """Forwards from one unix socket to another, in a thread of its own."""

    def __init__(self, at: Path, to: Path) -> None:
        self._at = at
        self._to = to
        self._loop = asyncio.new_event_loop()
        self._open = asyncio.Event()
        self._open.set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="link", daemon=True)

    def start(self) -> None:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._serve(), self._loop).result(20)

    def freeze(self) -> None:
        """New connections are taken too, and hear nothing."""
        self._loop.call_soon_threadsafe(self._open.clear)

    def thaw(self) -> None:
        """What was held up passes."""
        self._loop.call_soon_threadsafe(self._open.set)

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self._cancel(), self._loop).result(20)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(20)
        self._loop.close()

    async def _serve(self) -> None:
        self._server = await asyncio.start_unix_server(self._accept, self._at)
        self._at.chmod(0o777)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        writers = [writer]
        try:
            await self._open.wait()
            there, back = await asyncio.open_unix_connection(self._to)
            writers.append(back)
            await asyncio.gather(self._forward(reader, back), self._forward(there, writer))
        except (OSError, asyncio.CancelledError):  # the server is away, or the test is over
            pass
        finally:
            self._tasks.discard(task)
            for one in writers:
                one.close()
                with contextlib.suppress(OSError):
                    await one.wait_closed()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(CHUNK_BYTES):
                await self._open.wait()
                writer.write(data)
                await writer.drain()
        writer.close()

    async def _cancel(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@contextmanager
def link(at: Path, to: Path) -> Iterator[Link]:
    """An open link for the length of the `with` block."""
    made = Link(at, to)
    made.start()
    try:
        yield made
    finally:
        made.thaw()
        made.close()
