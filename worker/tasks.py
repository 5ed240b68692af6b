"""The one Celery task: its message wakes the worker."""

from __future__ import annotations

from typing import Protocol

from celery import Celery

from core.queue import SCREEN_TASK


class Drains(Protocol):
    def drain(self) -> object:
        """Screen until nothing is queued."""


def register(app: Celery, worker: Drains) -> None:
    """Let messages to `app` wake `worker`."""

    # Not shared: Celery would hand the task, and with it this worker, to every other application of the process.
    @app.task(name=SCREEN_TASK, ignore_result=True, shared=False)  # type: ignore[untyped-decorator]  # no types
    def screen(image_ids: object) -> None:
        """The ids are for people who read the broker: the claim decides what comes next, for all users."""
        worker.drain()
