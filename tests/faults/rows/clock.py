"""The clock by which leases are made jumps by an hour."""

from __future__ import annotations

from tests.faults.matrix import Row, Run
from tests.faults.rows.worker import kill_busy_worker

HOUR_S = 3600


def jump(by_s: int) -> Row:
    def inject(run: Run) -> None:
        """A worker dies at that very moment, so that leases of the old time are left behind."""
        kill_busy_worker(run)
        run.stack.clock.move(by_s)

    direction = "forward" if by_s > 0 else "back"
    return Row(f"clock set an hour {direction}", "as a worker dies", inject=inject)


ROWS = [jump(HOUR_S), jump(-HOUR_S)]
