"""The one Celery task: a doorbell that wakes the pipeline."""

from __future__ import annotations

from celery import Celery

from core.queue import SCREEN_TASK
from worker.pipeline import Pipeline


def register(app: Celery, pipeline: Pipeline) -> None:
    """Make `app` answer doorbells with `pipeline`."""

    # Not shared: Celery would hand the task, and with it this pipeline, to every other application of the process.
    @app.task(name=SCREEN_TASK, ignore_result=True, shared=False)  # type: ignore[untyped-decorator]  # no types
    def screen(image_ids: object) -> None:
        """Which images rang is for whoever reads the broker: what comes next is decided by the claim, for all users."""
        pipeline.drain()
