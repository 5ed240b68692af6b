"""One call of a WSGI application (PEP 3333), step by step, so that a thread is needed for each step only."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from typing import IO, Any
from urllib.parse import unquote_to_bytes

from werkzeug.wsgi import FileWrapper

from web.server.asgi import Scope

Environ = dict[str, Any]
Application = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]

FILE_BLOCK_BYTES = 256 * 1024
"""Of a file that is sent; a thread is called once for each block."""


def environ(scope: Scope) -> Environ:
    """The environment without a body. A header with `_` in its name is left out: it would pass for one with `-`."""
    host, port = scope["server"] or ("", None)
    values: Environ = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(scope["raw_path"]).decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_NAME": host or "localhost",
        "SERVER_PORT": str(port or 80),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "REMOTE_ADDR": scope["client"][0] if scope["client"] else "",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "wsgi.file_wrapper": _send_file,
    }
    for raw_name, raw_value in scope["headers"]:
        name = raw_name.decode("latin-1").upper().replace("-", "_")
        if b"_" in raw_name or name in {"CONTENT_LENGTH", "TRANSFER_ENCODING"}:
            continue
        key, value = name if name == "CONTENT_TYPE" else f"HTTP_{name}", raw_value.decode("latin-1")
        joint = "; " if name == "COOKIE" else ","
        values[key] = f"{values[key]}{joint}{value}" if key in values else value
    return with_body(values, b"")


def with_body(values: Environ, body: bytes | bytearray) -> Environ:
    """A copy of the environment whose request has this body."""
    return {**values, "CONTENT_LENGTH": str(len(body)), "wsgi.input": io.BytesIO(body)}


def _send_file(file: IO[bytes], _buffer_size: int = 0) -> FileWrapper:
    return FileWrapper(file, FILE_BLOCK_BYTES)


class Call:
    """One call of an application: `start`, then `read` until it has `ended`, or `close` to give it up.

    Any thread may call it, one at a time.
    """

    def __init__(self, application: Application, values: Environ) -> None:
        self._application = application
        self._environ = values
        self._answer: Iterable[bytes] = ()
        self._rest: Iterator[bytes] = iter(())
        self._missing_bytes: int | None = None
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.ended = False

    @property
    def is_long(self) -> bool:
        """Whether the answer is made while it is sent, so that nobody knows its length."""
        return self._missing_bytes is None and self.status == HTTPStatus.OK

    def start(self) -> bytes:
        """Run the application until it has an answer; the first block of it, unless it is a long one."""
        self._answer = self._application(self._environ, self._start_response)
        self._rest = iter(self._answer)
        return b"" if self.is_long else self.read()

    def read(self) -> bytes:
        """The next block; empty if there is none. After the last one the call is closed."""
        block = next((block for block in self._rest if block), b"")
        if self._missing_bytes is not None:
            self._missing_bytes -= len(block)
        if not block or self._missing_bytes == 0:
            self.close()
        return block

    def close(self) -> None:
        """Let the application clean up after its answer; a second call does nothing."""
        if not self.ended:
            self.ended = True
            close = getattr(self._answer, "close", None)
            if close is not None:
                close()

    def _start_response(self, status: str, headers: list[tuple[str, str]], _exc_info: object = None) -> None:
        self.status = int(status.partition(" ")[0])
        ours = [(name, value) for name, value in headers if name.lower() != "date"]  # uvicorn gives each answer one
        self.headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in ours]
        lengths = [int(value) for name, value in headers if name.lower() == "content-length"]
        self._missing_bytes = lengths[0] if lengths else None
