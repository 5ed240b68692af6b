"""The sweeper killed when it is needed, and two of them at once."""

from __future__ import annotations

import time

from db.tables import Image
from tests.faults.matrix import Row, Run
from tests.faults.process import Process
from tests.faults.rows.worker import kill_busy_worker


def kill_sweeper(run: Run) -> None:
    """Right when a dead worker's leases run out."""
    kill_busy_worker(run)
    time.sleep(run.rng.uniform(0.8, 1.1) * run.profile.lease_s)
    run.stack.sweeper.kill()


def two_sweepers(run: Run) -> None:
    """Both find the same expired leases and the same lost messages."""
    second = run.stack.second_sweeper()
    second.start()
    time.sleep(run.profile.spread_s)
    kill_busy_worker(run)
    run.stack.broker.flushall()
    run.notes["second"] = second


def second_sweeper_ends(run: Run, _rows: list[Image]) -> list[str]:
    """By now both have swept."""
    second = run.notes["second"]
    assert isinstance(second, Process)
    status = run.stack.dismiss(second)
    return [f"the second sweeper ended with status {status}"] if status else []


ROWS = [
    Row("kill -9 sweeper", "when leases run out", inject=kill_sweeper, short_on="postgresql"),
    Row(
        "two sweepers at once",
        "a worker dies, Valkey is emptied",
        inject=two_sweepers,
        check=second_sweeper_ends,
        short_on="postgresql",
    ),
]
