"""Clients that hold what they are given for as long as they can: half-sent headers, slow bodies, slow readers.

They connect to a service of our own, on loopback, and are as many as asked for.
"""

from __future__ import annotations

import contextlib
import select
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

BODY_BYTES = 1_000_000
POLL_S = 0.05
COME_BACK_S = 1.0
SMALL_BUFFER_BYTES = 4096

_FORM = "Content-Type: multipart/form-data; boundary=b"
_FILE = '--b\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'


def openings(token: str) -> dict[str, bytes]:
    """What each kind of client sends at once; what some send later comes byte by byte."""
    may = f"Authorization: Bearer {token}"
    texts = {
        "half a header": "GET /login HTTP/1.1\r\nHost: x\r\nX-Slow: ",
        "silent": "",
        "slow upload": _post("/api/v1/images", may, _FORM) + _FILE,
        "slow login": _post("/login", "Content-Type: application/x-www-form-urlencoded", size_bytes=200),
        "upload of nobody": _post("/api/v1/images", _FORM) + _FILE,
        "slow CSV reader": f"GET /api/v1/results?format=csv HTTP/1.1\r\nHost: x\r\n{may}\r\n\r\n",
    }
    return {kind: text.encode() for kind, text in texts.items()}


DRIPPING = frozenset({"half a header", "slow upload", "slow login"})
READS_NOTHING = "slow CSV reader"


def _post(path: str, *headers: str, size_bytes: int = BODY_BYTES) -> str:
    return "\r\n".join([f"POST {path} HTTP/1.1", "Host: x", *headers, f"Content-Length: {size_bytes}", "", ""])


@dataclass(slots=True, eq=False)
class SlowClient:
    kind: str
    address: str
    """Its own, of loopback."""
    socket: socket.socket | None = None
    opened_s: float = 0.0
    dripped_s: float = 0.0
    closed_s: float = 0.0


@dataclass(slots=True)
class SlowClients:
    """All of them, worked by one thread. `closed` counts by kind those that the service has closed."""

    port: int
    openings: Mapping[str, bytes]
    clients: Sequence[SlowClient]
    drip_s: float
    come_back: bool
    closed: Counter[str] = field(default_factory=Counter)
    lifetimes_s: dict[str, list[float]] = field(default_factory=dict)
    _stopped: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        while not self._stopped.wait(POLL_S):
            for client in self.clients:
                if client.socket is None:
                    if self.come_back and time.monotonic() - client.closed_s >= COME_BACK_S:
                        self._open(client)
                elif self._was_closed(client, client.socket):
                    self._note_closed(client)
                elif client.kind in DRIPPING and time.monotonic() - client.dripped_s >= self.drip_s:
                    client.dripped_s = time.monotonic()
                    with contextlib.suppress(OSError):
                        client.socket.send(b"x")

    def connect(self) -> None:
        for client in self.clients:
            self._open(client)

    def connected(self) -> int:
        return sum(client.socket is not None for client in self.clients)

    def stop(self, thread: threading.Thread) -> None:
        self._stopped.set()
        thread.join()
        for client in self.clients:
            if client.socket is not None:
                client.socket.close()

    def _open(self, client: SlowClient) -> None:
        client.socket = opened = socket.socket()
        if client.kind == READS_NOTHING:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER_BYTES)
        opened.bind((client.address, 0))
        opened.settimeout(30)
        try:
            opened.connect(("127.0.0.1", self.port))
            opened.sendall(self.openings[client.kind])
        except OSError:  # closed already: noted with the next look
            pass
        opened.setblocking(False)
        client.opened_s = client.dripped_s = time.monotonic()

    def _was_closed(self, client: SlowClient, connection: socket.socket) -> bool:
        poll = select.poll()
        poll.register(connection, 0 if client.kind == READS_NOTHING else select.POLLIN)
        for _, event in poll.poll(0):
            if event & (select.POLLHUP | select.POLLERR):
                return True
            try:
                return connection.recv(65536) == b""
            except BlockingIOError:
                return False
            except OSError:
                return True
        return False

    def _note_closed(self, client: SlowClient) -> None:
        assert client.socket is not None
        client.socket.close()
        client.socket = None
        client.closed_s = time.monotonic()
        self.closed[client.kind] += 1
        self.lifetimes_s.setdefault(client.kind, []).append(time.monotonic() - client.opened_s)


@contextlib.contextmanager
def slow_clients(
    port: int,
    token: str,
    count: int,
    *,
    kinds: Sequence[str] = (),
    drip_s: float = 18.0,
    come_back: bool = False,
    addresses: int = 1,
) -> Iterator[SlowClients]:
    """`count` clients of all `kinds` in turn, from so many `addresses`.

    With `come_back`, those that are closed connect again a second later.
    """
    sent = openings(token)
    chosen = list(kinds) or list(sent)
    clients = [SlowClient(chosen[n % len(chosen)], f"127.0.0.{1 + n // len(chosen) % addresses}") for n in range(count)]
    crowd = SlowClients(port, sent, clients, drip_s, come_back)
    thread = threading.Thread(target=crowd.run, name="slow clients", daemon=True)
    crowd.connect()
    thread.start()
    try:
        yield crowd
    finally:
        crowd.stop(thread)
