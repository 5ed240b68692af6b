"""`pneumoscreen sweeper`: puts right what a crash left behind."""

from __future__ import annotations

from core import settings
from launcher import lifeline
from worker import sweeper as loop


def sweeper() -> None:
    """Put right what a crash left behind (one of the service's processes).

    Returns the images of dead workers to the queue and announces queued images
    whose message was lost. One is needed; a second does no harm.

    Example:

      pneumoscreen sweeper
    """
    lifeline.watch_from_environment()
    loop.run(settings.load())
