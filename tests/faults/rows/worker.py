"""Workers that are killed, told to stop, out of memory, or only slow."""

from __future__ import annotations

import functools
import signal
import time

from db.tables import Image
from tests.faults.matrix import Row, Run

MOMENTS = {
    "receiving": "message taken, nothing claimed",
    "decoding": "decoding",
    "forward": "in the forward pass",
    "before_commit": "result written, not committed",
    "after_commit": "after the commit, before the ack",
    "before_ack": "all done, message not acknowledged",
}


def kill_at(point: str) -> Row:
    return Row("kill -9 worker", MOMENTS[point], inject=lambda run: run.order(point, "kill"))


def kill_busy_worker(run: Run) -> None:
    run.stack.busy_worker().kill()


def terminate_one(run: Run) -> None:
    worker = run.stack.busy_worker()
    run.notes["statuses"] = [worker.terminate()]
    worker.wanted = True


def restart_all(run: Run) -> None:
    """One after the other: the next is told to stop when the one before has its model again."""
    statuses: list[int] = []
    for worker in run.stack.workers:
        statuses.append(worker.terminate())
        worker.wanted = True
        run.wait_until(functools.partial(run.stack.is_ready, worker), "the new worker to have its model")
    run.notes["statuses"] = statuses


def nothing_tried_twice(run: Run, rows: list[Image]) -> list[str]:
    """A worker that is told to stop finishes its batch: nothing has to be done twice."""
    problems = [f"a worker ended with status {status}" for status in run.notes["statuses"] if status]  # type: ignore[attr-defined]
    again = sum(row.attempt != 1 for row in rows)
    return problems + ([f"{again} images were tried twice although workers stopped in order"] if again else [])


def begin_out_of_memory(run: Run) -> None:
    run.stack.orders.begin("out_of_memory")
    time.sleep(run.profile.spread_s)


def batch_was_halved(run: Run, rows: list[Image]) -> list[str]:
    again = sum(row.attempt != 1 for row in rows)
    return [f"{again} images were tried twice: the batch was not halved"] if again else []


def stop_past_lease(run: Run) -> None:
    """A worker that does nothing until its lease is over and others have its images; it then goes on."""
    run.order("forward", "stop")
    time.sleep(run.profile.lease_s * 1.5)


def stop_in_transaction(run: Run) -> None:
    """The same, with the locks of its rows held."""
    run.order("before_commit", "stop")
    time.sleep(run.profile.lease_s * 1.5)


def wake_all(run: Run) -> None:
    for worker in run.stack.workers:
        worker.signal(signal.SIGCONT)


ROWS = [
    *(kill_at(point) for point in MOMENTS),
    Row("SIGTERM worker", "in a batch", inject=terminate_one, check=nothing_tried_twice, short_on="postgresql"),
    Row("rolling restart of all workers", "under load", inject=restart_all, check=nothing_tried_twice),
    Row(
        "out of memory",
        "in the forward pass of more than one image",
        inject=begin_out_of_memory,
        restore=lambda run: run.stack.orders.end("out_of_memory"),
        check=batch_was_halved,
    ),
    Row("worker stopped past its lease", "in the forward pass", inject=stop_past_lease, restore=wake_all),
    Row("worker stopped past its lease", "with its transaction open", inject=stop_in_transaction, restore=wake_all),
]
