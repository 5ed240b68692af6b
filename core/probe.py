"""Asks a part of the service that may hang: a folder of a server that is away, a broker that is stopped."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

Answer = TypeVar("Answer")


class Probe(Generic[Answer]):
    """Runs `ask` in a thread of its own, one call at a time, and keeps its answer for `fresh_s`.

    However many callers there are, they cost one call, and each of them waits at most `limit_s`. The thread is a
    daemon: a file system that never answers does not keep the process from ending, as a pool's threads would.
    """

    def __init__(self, ask: Callable[[], Answer], *, limit_s: float, fresh_s: float) -> None:
        self._ask = ask
        self._limit_s = limit_s
        self._fresh_s = fresh_s
        self._lock = threading.Lock()
        self._future: Future[Answer] | None = None
        self._asked_s = 0.0
        self._answered_s = 0.0

    def start(self) -> Future[Answer]:
        """Ask, unless an answer is fresh or still to come."""
        with self._lock:
            future = self._future
            if future is not None and (not future.done() or time.monotonic() - self._answered_s < self._fresh_s):
                return future
            self._future = future = Future()
            self._asked_s = time.monotonic()
        threading.Thread(target=self._run, args=(future,), name="probe", daemon=True).start()
        return future

    def get(self) -> Answer:
        """The answer, or what `ask` raised.

        Raises:
            TimeoutError: none within `limit_s` of the question.
        """
        future = self.start()
        return future.result(max(0.0, self._asked_s + self._limit_s - time.monotonic()))

    def _run(self, future: Future[Answer]) -> None:
        try:
            answer = self._ask()
        except BaseException as error:
            self._answered_s = time.monotonic()
            future.set_exception(error)
        else:
            self._answered_s = time.monotonic()
            future.set_result(answer)
