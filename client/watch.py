"""Follows a job until nothing of it is queued or running."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from client.http import Client

DEFAULT_POLL_S = 1.0
MAX_POLL_S = 30.0
STALL_S = 15.0
"""Without progress for this long, look whether a worker runs at all."""


class Progress(Protocol):
    """Is told how far the job is, and what the user should know of it."""

    def show(self, done: int, total: int) -> None: ...

    def note(self, line: str) -> None: ...


def watch(
    client: Client,
    job_id: int,
    progress: Progress,
    *,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Show progress until the job is done or cancelled.

    Raises:
        Unreachable, ServiceError, ConfigurationError: the service does not answer, or not for this job.
    """
    etag = ""
    moved_s = clock()
    finished_before = -1
    while True:
        status = client.job(job_id, etag)
        etag = status.etag
        if status.body is not None:
            counts = status.body["counts"]
            total = sum(counts.values())
            finished = total - counts["queued"] - counts["running"]
            progress.show(finished, total)
            if finished == total:
                return
            if finished != finished_before:
                finished_before, moved_s = finished, clock()
        if clock() - moved_s >= STALL_S:
            moved_s = clock()
            if client.workers() == 0:
                progress.note("No worker is running: the images wait until one is started (`pneumoscreen worker`).")
        poll_s = DEFAULT_POLL_S if status.retry_after_s is None else status.retry_after_s
        sleep(min(max(poll_s, 0.1), MAX_POLL_S))
