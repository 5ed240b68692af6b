"""The one Celery task: a doorbell that wakes the pipeline."""

from __future__ import annotations

from celery import Celery

from core.queue import SCREEN_TASK
from worker.pipeline import Pipeline

_MAX_ID = 2**63 - 1  # of a BIGINT; SQLite raises on a larger number


def register(app: Celery, pipeline: Pipeline) -> None:
    """Make `app` answer doorbells with `pipeline`."""

    # Not shared: Celery would hand the task, and with it this pipeline, to every other application of the process.
    @app.task(name=SCREEN_TASK, ignore_result=True, shared=False)  # type: ignore[untyped-decorator]  # no types
    def screen(image_ids: object) -> None:
        pipeline.drain(_ids(image_ids))


def _ids(argument: object) -> list[int]:
    """Whatever else a message holds, a doorbell it is all the same: the ids in it that a row can have."""
    items = argument if isinstance(argument, list) else []
    return [item for item in items if isinstance(item, int) and 0 < item <= _MAX_ID]
