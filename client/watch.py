"""Follows a job until nothing of it is queued or running."""

from __future__ import annotations

import time
from collections.abc import Callable

from client.http import Client
from client.progress import Meter

DEFAULT_POLL_S = 1.0
MAX_POLL_S = 30.0
STALL_S = 15.0
"""Without progress for this long, look whether a worker runs at all."""


def watch(
    client: Client,
    job_id: int,
    meter: Meter,
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
            meter.show(finished, total)
            if finished == total:
                return
            if finished != finished_before:
                finished_before, moved_s = finished, clock()
        if clock() - moved_s >= STALL_S:
            moved_s = clock()
            if client.workers() == 0:
                meter.note("No worker is running: the images wait until one is started (`pneumoscreen worker`).")
        poll_s = DEFAULT_POLL_S if status.retry_after_s is None else status.retry_after_s
        sleep(min(max(poll_s, 0.1), MAX_POLL_S))
