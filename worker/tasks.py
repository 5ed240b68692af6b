"""The one Celery task: a doorbell that wakes the pipeline."""

from __future__ import annotations

import os

import structlog
from celery import Celery

from core.errors import DeviceLost
from core.queue import SCREEN_TASK
from worker.pipeline import Pipeline

log = structlog.get_logger()


def register(app: Celery, pipeline: Pipeline) -> None:
    """Make `app` answer doorbells with `pipeline`."""

    # Not shared: Celery would hand the task, and with it this pipeline, to every other application of the process.
    @app.task(name=SCREEN_TASK, ignore_result=True, shared=False)  # type: ignore[untyped-decorator]  # no types
    def screen(image_ids: object) -> None:
        """Which images rang is for whoever reads the broker: what comes next is decided by the claim, for all users."""
        try:
            pipeline.drain()
        except DeviceLost as error:
            # As after any crash its leases run out, and whoever started this process starts another.
            log.critical("device_lost", error=error.message)
            os._exit(1)
