"""`pneumoscreen worker`: takes images from the queue and screens them."""

from __future__ import annotations

import typer

from core import settings
from launcher import lifeline
from worker import app as worker_app


def worker() -> None:
    """Screen queued images (start one process a GPU).

    Settings come from PNEUMOSCREEN_* variables, such as PNEUMOSCREEN_ENGINE.
    SIGTERM lets it finish its batch. A killed worker loses nothing: its images
    go back to the queue.

    Example:

      PNEUMOSCREEN_ENGINE=torch-cuda pneumoscreen worker
    """
    lifeline.watch_from_environment()  # first: loading `worker.app`, which the next line does, takes seconds
    raise typer.Exit(worker_app.run(settings.load()))
