"""The client of every measurement: bodies made beforehand, connections kept open, as little work as Python allows.

It runs on the same cores as what it measures, so what it takes is taken from that.
"""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import Any
from urllib.parse import urlsplit

BOUNDARY = "pneumoscreen-benchmark"
TIMEOUT_S = 120.0
IDLE_S = 2.0
"""A connection unused for longer is opened anew: servers close theirs after 5 s, and a body sent into that is lost."""


class Refused(Exception):
    """An answer that is no 2xx; the message has its status and what it said."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent, and which of the files it carries (by their numbers)."""

    path: str
    body: bytes
    headers: Mapping[str, str]
    numbers: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    numbers: tuple[int, ...]
    body: bytes
    seconds: float


def multipart(path: str, name: str, files: Sequence[tuple[str, bytes]], numbers: tuple[int, ...] = ()) -> Request:
    """A form with `files` (file name, bytes), all in the field `name`."""
    parts: list[bytes] = []
    for filename, data in files:
        disposition = f'Content-Disposition: form-data; name="{name}"; filename="{filename}.jpeg"'
        parts += [f"--{BOUNDARY}\r\n{disposition}\r\nContent-Type: image/jpeg\r\n\r\n".encode(), data, b"\r\n"]
    body = b"".join([*parts, f"--{BOUNDARY}--\r\n".encode()])
    return Request(path, body, {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}, numbers)


def as_json(path: str, body: object) -> Request:
    return Request(path, json.dumps(body).encode(), {"Content-Type": "application/json"})


def chunks(files: Iterable[tuple[str, bytes]], size: int) -> Iterator[list[tuple[str, bytes]]]:
    """Lists of `size` files, the last one shorter."""
    rest = iter(files)
    while chunk := list(islice(rest, size)):
        yield chunk


@dataclass(slots=True)
class Client:
    """Sends to one server. Each thread has a connection of its own, until `close`."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    _own: threading.local = field(default_factory=threading.local, repr=False)
    _opened: list[http.client.HTTPConnection] = field(default_factory=list, repr=False)

    def send(self, request: Request, *, method: str = "POST") -> Answer:
        """Raises Refused, OSError, http.client.HTTPException."""
        started_s = time.perf_counter()
        connection = self._connection()
        try:
            connection.request(method, request.path, request.body, {**self.headers, **request.headers})
            response = connection.getresponse()
            body = response.read()
        except (OSError, http.client.HTTPException):
            connection.close()  # the next request opens it anew
            raise
        finally:
            self._own.used_s = time.monotonic()
        if not 200 <= response.status < 300:
            raise Refused(f"{request.path}: {response.status} {body[:300]!r}")
        return Answer(request.numbers, body, time.perf_counter() - started_s)

    def get(self, path: str) -> Any:
        """The JSON at `path`."""
        return json.loads(self.send(Request(path, b"", {}), method="GET").body)

    def send_all(self, requests: Sequence[Request], concurrency: int) -> list[Answer]:
        """All of them, `concurrency` at a time; the answers in the order of the requests."""
        threads = Client(self.url, self.headers)
        try:
            with ThreadPoolExecutor(concurrency, thread_name_prefix="client") as pool:
                return list(pool.map(threads.send, requests))
        finally:
            threads.close()

    def close(self) -> None:
        """Of every thread; none of them may be sending."""
        for connection in self._opened:
            connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        connection: http.client.HTTPConnection | None = getattr(self._own, "connection", None)
        if connection is None:
            address = urlsplit(self.url)
            connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=TIMEOUT_S)
            self._own.connection = connection
            self._opened.append(connection)
        elif time.monotonic() - self._own.used_s > IDLE_S:
            connection.close()
        return connection
