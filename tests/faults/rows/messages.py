"""Messages that come twice, out of order, about images that do not exist, or that nobody can read."""

from __future__ import annotations

import json
from typing import Any

from core.queue import QUEUES, SCREEN_TASK
from db.tables import Image
from tests.faults.matrix import Row, Run

NOT_MESSAGES = (b"", b"\x00\xff", b"not json", b"[]", b"{}", b'{"body": 1}', b'{"properties": {}}')


def send(run: Run, argument: Any, *, task: str = SCREEN_TASK, queue: str = QUEUES[0]) -> None:
    run.stack.celery.signature(task, args=[argument], queue=queue).apply_async()


def accepted(run: Run) -> list[int]:
    return list(run.load.ledger.accepted.values())


def twice_and_reversed(run: Run) -> None:
    for image_id in reversed(accepted(run)):
        for queue in QUEUES:
            send(run, [image_id, image_id], queue=queue)


def about_nothing(run: Run) -> None:
    for argument in ([], [0], [-1], [10**12], [2**63], [10**30], None, "1", {"a": 1}, [None, "x", 1.5, [1]]):
        send(run, argument)
    send(run, [1], task="pneumoscreen.unheard_of")
    run.stack.celery.send_task(SCREEN_TASK, args=[], queue=QUEUES[0])
    run.stack.celery.send_task(SCREEN_TASK, args=[[1], [2]], kwargs={"more": 1}, queue=QUEUES[1])


def malformed(run: Run) -> None:
    """Straight into the lists that the workers read from."""
    run.notes["pids"] = [worker.pid for worker in run.stack.workers]
    envelope = {"body": "!", "content-type": "application/x-python-serialize", "content-encoding": "binary"}
    properties = {
        "delivery_tag": "t",
        "delivery_info": {"exchange": "", "routing_key": QUEUES[0]},
        "body_encoding": "base64",
    }
    almost = [
        json.dumps({**envelope, "headers": {}, "properties": properties}).encode(),
        json.dumps({**envelope, "headers": {"task": SCREEN_TASK, "id": "1"}, "properties": properties}).encode(),
    ]
    for queue in QUEUES:
        run.stack.broker.lpush(queue, *NOT_MESSAGES, *almost)


def same_workers(run: Run, _rows: list[Image]) -> list[str]:
    """A message that nobody can read must not end a worker."""
    before, after = run.notes["pids"], [worker.pid for worker in run.stack.workers]
    return [] if before == after else [f"workers {before} became {after}"]


ROWS = [
    Row("duplicate and reordered messages", "under load", inject=twice_and_reversed),
    Row("messages about unknown images and tasks", "under load", inject=about_nothing, short_on="postgresql"),
    Row("malformed messages", "under load", inject=malformed, check=same_workers),
]
