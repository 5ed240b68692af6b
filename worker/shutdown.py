"""The end of a worker: in order if that is possible, and within a time whatever hangs.

A thread of its own waits for the signal, since Celery's may hang in a broker that does not answer, and the others in a
database that does not. What is then left undone is leases that run out.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from queue import SimpleQueue

import structlog
from sqlalchemy.exc import SQLAlchemyError

STOP_WITHIN_S = 15.0
"""From the signal to the end of the process. A batch takes a second."""

LEAVE_WITHIN_S = 2.0
"""How long Celery may take to end once all is closed."""

log = structlog.get_logger()


class Shutdown:
    """Calls `close` once, in its own thread, when `begin` or `finish` is called."""

    def __init__(self, close: Callable[[], None]) -> None:
        self._close = close
        self._asked: SimpleQueue[None] = SimpleQueue()  # a signal handler may interrupt its own `put`; no lock may
        self._closed = threading.Event()
        self._returned = threading.Event()
        threading.Thread(target=self._run, name="shutdown", daemon=True).start()

    def begin(self) -> None:
        """For a signal handler: returns at once. The process ends within STOP_WITHIN_S."""
        self._asked.put(None)

    def finish(self) -> None:
        """For the main thread, when it has nothing left to do: returns when all is closed."""
        self._returned.set()
        self._asked.put(None)
        self._closed.wait()

    def _run(self) -> None:
        self._asked.get()
        overdue = threading.Timer(STOP_WITHIN_S, _give_up)
        overdue.daemon = True
        overdue.start()
        try:
            self._close()
        except SQLAlchemyError as error:
            log.warning("not_released", error=type(error).__name__)
        finally:
            overdue.cancel()
            self._closed.set()
        if not self._returned.wait(LEAVE_WITHIN_S):
            os._exit(0)  # all is closed, and only the connection to the broker hangs


def _give_up() -> None:
    log.error("stop_overdue", seconds=STOP_WITHIN_S)
    os._exit(1)
