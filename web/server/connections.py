"""How many connections there may be, in all and of one address, and which are closed when there are more."""

from __future__ import annotations

from itertools import islice
from typing import Protocol

CANDIDATES = 500
"""How many of the oldest connections are compared to choose one to close: in a flood, each new one must stay cheap."""


class Connection(Protocol):
    @property
    def waiting_since_s(self) -> float | None:
        """Since when it waits for its client, by the event loop's clock; None while its request is worked on."""
        ...

    @property
    def proven(self) -> bool:
        """Whether it has had an answer, or was let through to send a body."""
        ...

    def evict(self) -> None: ...


class Connections:
    """The connections of one web process, oldest first."""

    def __init__(self, at_most: int, at_most_per_address: int | None) -> None:
        self._at_most = at_most
        self._at_most_per_address = at_most_per_address
        self._all: dict[Connection, str] = {}
        self._of_address: dict[str, dict[Connection, None]] = {}

    def __len__(self) -> int:
        return len(self._all)

    def add(self, connection: Connection, address: str) -> bool:
        """Add a connection, closing another one for it if there are too many; False if none could be closed.

        The connection that has waited longest for its client is closed, and first of all those that are not `proven`:
        clients that only ever connect displace each other, and not clients that work.
        """
        same_address = self._of_address.get(address, {})
        too_many_of_address = self._at_most_per_address is not None and len(same_address) >= self._at_most_per_address
        if too_many_of_address and not self._make_room(same_address):
            return False
        if len(self._all) >= self._at_most and not self._make_room(self._all):
            return False
        self._all[connection] = address
        self._of_address.setdefault(address, {})[connection] = None
        return True

    def remove(self, connection: Connection) -> None:
        """Remove a connection; one that was never added is ignored."""
        address = self._all.pop(connection, None)
        if address is not None:
            of_address = self._of_address[address]
            del of_address[connection]
            if not of_address:
                del self._of_address[address]

    def _make_room(self, candidates: dict[Connection, None] | dict[Connection, str]) -> bool:
        oldest = list(islice(candidates, CANDIDATES))
        waiting = [(c.proven, since_s, c) for c in oldest if (since_s := c.waiting_since_s) is not None]
        if not waiting:
            return False
        slowest = min(waiting, key=lambda entry: entry[:2])[2]
        self.remove(slowest)
        slowest.evict()
        return True
