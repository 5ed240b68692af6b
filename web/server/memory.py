"""The memory that request bodies may take, in all of a web process. Only the event loop's thread may use it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from werkzeug.exceptions import ServiceUnavailable

from web.intake.multipart import PIECE_BYTES
from web.server.limits import BUFFERED_BYTES, SMALLEST_PIECE_BYTES

RETRY_AFTER_S = 5


class Memory:
    """One half is for forms and JSON, each kept whole until a thread takes it; the other for pieces of uploads."""

    def __init__(self, at_most_bytes: int = BUFFERED_BYTES) -> None:
        self._of_kind_bytes = at_most_bytes // 2
        self._buffered_bytes = 0
        self._uploads = 0

    def piece_bytes(self) -> int:
        """How much of one upload may wait for a thread: less when there are many."""
        return max(SMALLEST_PIECE_BYTES, min(PIECE_BYTES, self._of_kind_bytes // max(1, self._uploads)))

    @contextmanager
    def upload(self) -> Iterator[None]:
        """Count an upload for as long as its body is read; it takes one piece at a time."""
        self._uploads += 1
        try:
            yield
        finally:
            self._uploads -= 1

    @contextmanager
    def buffer(self) -> Iterator[bytearray]:
        """An empty buffer for one whole body; what `extend` adds to it counts until the end of the block."""
        buffer = bytearray()
        try:
            yield buffer
        finally:
            self._buffered_bytes -= len(buffer)

    def extend(self, buffer: bytearray, part: bytes) -> None:
        """Raises ServiceUnavailable: all bodies together would take too much."""
        if self._buffered_bytes + len(part) > self._of_kind_bytes:
            raise ServiceUnavailable("Too many requests are being sent at this moment.", retry_after=RETRY_AFTER_S)
        buffer += part
        self._buffered_bytes += len(part)
