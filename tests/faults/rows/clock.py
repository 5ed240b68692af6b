"""The clock of every host, the database's included, jumps by an hour."""

from __future__ import annotations

import time

from tests.faults.clock import CACHE_S
from tests.faults.matrix import Row, Run
from tests.faults.rows.worker import kill_busy_worker

HOUR_S = 3600


def jump(by_s: int) -> Row:
    def inject(run: Run) -> None:
        """A worker dies at that very moment, so that a lease of the old time is left behind."""
        clock = run.stack.clock
        assert clock is not None
        kill_busy_worker(run)
        clock.move(by_s)
        time.sleep(CACHE_S + 0.1)

    direction = "forward" if by_s > 0 else "back"
    return Row(f"clock jumps an hour {direction}", "a worker dies with leases", inject=inject, shifted_clock=True)


ROWS = [jump(HOUR_S), jump(-HOUR_S)]
