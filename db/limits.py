"""Time limits of PostgreSQL: nothing waits for long when the server or the network does not answer.

    what does not answer                    what ends the wait
    a server that is being connected to     CONNECT_TIMEOUT_S
    the network, at any time                the limits of TCP: SILENT_NETWORK_S without an acknowledgement
    the server, while it runs a statement   its own `statement_timeout`: STATEMENT_TIMEOUT_S
    a server that is frozen                 the client: ANSWER_MARGIN_S after the server should have ended the statement

`within` sets another limit for what may take longer, such as a migration, or less time, such as a health check. A value
in the database's URL (`?connect_timeout=20`) wins. SQLite has no network; its limit is the wait for its one write lock.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

import psycopg

CONNECT_TIMEOUT_S = 5
SILENT_NETWORK_S = 10
STATEMENT_TIMEOUT_S = 20.0
ANSWER_MARGIN_S = 3.0

_TCP = {
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": SILENT_NETWORK_S * 1000,
}
_SERVER_TCP = "SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3"
"""The server's side of a connection: else the transaction of a client that was cut off stays open for hours."""

_MIN_CONNECT_S = 2
"""Psycopg replaces a smaller value by this one."""

Answer = TypeVar("Answer")

_limit_s: ContextVar[float | None] = ContextVar("statement_limit_s", default=STATEMENT_TIMEOUT_S)


@contextmanager
def within(seconds: float | None) -> Iterator[None]:
    """Limit each statement of this block, in this thread; None: no limit.

    A statement that takes longer raises sqlalchemy.exc.OperationalError, and its connection is replaced.
    """
    token = _limit_s.set(seconds)
    try:
        yield
    finally:
        _limit_s.reset(token)


def of_transaction() -> str | None:
    """The SQL with which a transaction begins if its limit is not that of its connection."""
    limit_s = _limit_s.get()
    return None if limit_s == STATEMENT_TIMEOUT_S else f"SET LOCAL statement_timeout = {_milliseconds(limit_s)}"


def connect(*arguments: Any, **given: Any) -> LimitedConnection:
    """Psycopg's `connect` with the limits of this module; values that are `given` win."""
    limit_s = _limit_s.get()
    connect_s = CONNECT_TIMEOUT_S if limit_s is None else min(CONNECT_TIMEOUT_S, max(_MIN_CONNECT_S, round(limit_s)))
    connection = LimitedConnection.connect(*arguments, **{"connect_timeout": connect_s} | _TCP | given)
    connection.autocommit = True  # a SET of a transaction that is rolled back would not last
    connection.execute(f"SET statement_timeout = {_milliseconds(STATEMENT_TIMEOUT_S)}; {_SERVER_TCP}")
    connection.autocommit = False
    return connection


class LimitedConnection(psycopg.Connection[Any]):
    """Gives up a server that does not answer within the statement's limit and a margin."""

    def wait(self, gen: Generator[Any, Any, Answer], *arguments: Any, **options: Any) -> Answer:
        limit_s = _limit_s.get()
        if limit_s is None:
            return super().wait(gen, *arguments, **options)
        try:
            return super().wait(_until_silent(gen, limit_s + ANSWER_MARGIN_S), *arguments, **options)
        except _Silent:
            self.pgconn.finish()  # it is in the middle of a statement, so nobody can use it any more
            raise


class _Silent(psycopg.OperationalError):
    pass


def _until_silent(gen: Generator[Any, Any, Answer], silence_s: float) -> Generator[Any, Any, Answer]:
    """Run Psycopg's dialogue with the server, and end it when nothing came for `silence_s`.

    Psycopg resumes the generator ten times a second, also when nothing came.
    """
    heard_s = time.monotonic()
    try:
        wanted = next(gen)
        while True:
            ready = yield wanted
            if ready:
                heard_s = time.monotonic()
            elif time.monotonic() - heard_s > silence_s:
                raise _Silent(f"the database server did not answer for {silence_s:g} seconds")
            wanted = gen.send(ready)
    except StopIteration as end:
        answer: Answer = end.value
        return answer


def _milliseconds(limit_s: float | None) -> int:
    """The limit as PostgreSQL takes it; 0 is no limit."""
    return 0 if limit_s is None else max(1, round(limit_s * 1000))
