"""The thread that screens. A message wakes it, and so does its own check of the database: no broker is needed.

It alone drains. Celery's thread, which has the message, waits until the queue was drained once more: as long as a
worker is busy it takes no second message, and the messages go to workers that are idle.
"""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Callable

import structlog
from sqlalchemy.exc import SQLAlchemyError

from core.errors import CONFIGURATION_STATUS, ConfigurationError, DeviceLost, ModelInvalid, PneumoscreenError
from worker.pipeline import Pipeline

JITTER = 0.2
"""Share by which the time between two checks varies, lest the workers of a site all check at the same moment."""

log = structlog.get_logger()


class Screener:
    """Runs from `start` until `stop`; `prepare` runs first, in the same thread, and loads the model."""

    def __init__(self, pipeline: Pipeline, prepare: Callable[[], None], idle_check_s: float) -> None:
        self._pipeline = pipeline
        self._prepare = prepare
        self._idle_check_s = idle_check_s
        self._random = random.SystemRandom()
        self._changed = threading.Condition()
        self._asked = 0
        self._answered = 0
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="screener", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Claim nothing more and let go whoever waits in `drain`; returns when the batch in work is stored."""
        self._pipeline.stop()
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join()

    def drain(self) -> None:
        """Have the queue drained once more; returns when it was, or at once when the worker stops."""
        with self._changed:
            self._asked += 1
            number = self._asked
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._answered >= number or self._stopping)

    def _run(self) -> None:
        try:
            self._prepare()
        except PneumoscreenError as error:
            log.error("worker_cannot_start", reason=error.message)
            os._exit(CONFIGURATION_STATUS if isinstance(error, ConfigurationError | ModelInvalid) else 1)
        except SQLAlchemyError as error:
            log.error("worker_cannot_start", reason="The database does not answer.", error=type(error).__name__)
            os._exit(1)  # whoever started this process starts another
        except Exception:
            log.exception("worker_cannot_start")
            os._exit(1)  # a thread's exception would leave a worker that takes messages and never a model
        self._screen(woken=True)  # what was queued while no worker ran
        while (asked := self._wait()) is not None:
            self._screen(woken=asked > self._answered)
            with self._changed:
                self._answered = asked
                self._changed.notify_all()

    def _wait(self) -> int | None:
        """Wait for the next drain or check. Returns how many drains were asked for so far, None to stop."""
        within_s = self._idle_check_s * (1 + JITTER * self._random.uniform(-1, 1))
        with self._changed:
            self._changed.wait_for(lambda: self._asked > self._answered or self._stopping, within_s)
            return None if self._stopping else self._asked

    def _screen(self, *, woken: bool) -> None:
        try:
            if woken or self._pipeline.work_waits():
                self._pipeline.drain()
            else:
                self._pipeline.change_model()
        except DeviceLost as error:
            # As after any crash its leases run out, and whoever started this process starts another.
            log.critical("device_lost", error=error.message)
            os._exit(1)
        except SQLAlchemyError as error:
            log.warning("database_unreachable", error=type(error).__name__)  # the next check tries again
        except Exception:
            log.exception("screening_failed")
