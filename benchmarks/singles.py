"""Many uploads of one image each at once: how few batches the workers make of them.

`python -m benchmarks.singles` sends them one after the other instead, and tells how long each waits: `single_waits`.
"""

from __future__ import annotations

from benchmarks import single_waits
from benchmarks.latency import batches, singles
from benchmarks.rows import Row, Setup
from benchmarks.service import client_of
from tests.testing.polling import wait_until
from tests.testing.service import Service, running

IMAGES = 400
CONCURRENCY = 8
HEARTBEAT_S = 0.2


def finished(service: Service) -> int:
    """Images that the workers have finished; exact to within a heartbeat."""
    ((count,),) = service.sql("SELECT coalesce(sum(images), 0) FROM workers")
    return int(count)


def measure(setup: Setup) -> Row:
    count = min(IMAGES, 2 * setup.count)
    made: list[float] = []
    rates: list[float] = []
    with running({"PNEUMOSCREEN_HEARTBEAT_S": str(HEARTBEAT_S)}) as service:
        client = client_of(service)
        for number in range(setup.repeats):
            sent = list(singles(setup, count, f"singles {number}"))
            before, images_before = batches(service), finished(service)
            client.send_all(sent, CONCURRENCY)
            goal = images_before + count
            wait_until(lambda: finished(service) >= goal, timeout_s=600, what="the singles")  # noqa: B023
            after = batches(service)
            made.append(count / (after.count - before.count))
            rates.append(count / (after.at_s - before.at_s))
    row = Row(facts={"what": f"{count} uploads of one image each, {CONCURRENCY} at a time"})
    row.add("images_a_batch", *made)
    row.add("images_per_s", *rates)
    return row


if __name__ == "__main__":
    single_waits.main()
