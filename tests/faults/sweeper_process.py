"""`pneumoscreen sweeper` by a clock that a row may set."""

from __future__ import annotations

from core import settings
from launcher import lifeline
from tests.faults import clock
from worker import sweeper

if __name__ == "__main__":
    lifeline.watch_from_environment()
    clock.install()
    sweeper.run(settings.load())
