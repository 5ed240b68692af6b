"""A clinician's single image while an archive waits: from the first byte sent to the result read."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from benchmarks.client import Client, Request, as_json, multipart
from benchmarks.rows import Row, Setup
from benchmarks.service import client_of
from benchmarks.spread import percentile
from benchmarks.upload import API, CONCURRENCY, new_job, requests
from tests.testing.service import Service, running

SINGLES = 32
"""In each repeat."""
PAUSE_S = (0.2, 0.7)
"""Between two of them, at random, so that they do not keep step with the batches."""
POLL_S = 0.02
KNOWN_A_REQUEST = 1000
RATES = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Singles a second of the plot, on a service with nothing else to do."""


class BacklogOver(Exception):
    """What was measured last was no longer behind a full queue."""


@dataclass(frozen=True, slots=True)
class Batches:
    """What the workers had done at a moment."""

    at_s: float
    count: int


def queue_backlog(client: Client, setup: Setup) -> int:
    """A bulk job of so many rows; each file is uploaded once and then named again. Its id."""
    job_id = new_job(client)
    answers = client.send_all(requests(job_id, setup.images, len(setup.images.files), "backlog"), CONCURRENCY)
    sha256s = [image["sha256"] for answer in answers for image in json.loads(answer.body)["images"]]
    rest = setup.backlog - len(sha256s)
    rows = [{"filename": f"again-{number}", "sha256": sha256s[number % len(sha256s)]} for number in range(max(0, rest))]
    for start in range(0, len(rows), KNOWN_A_REQUEST):
        client.send(as_json(f"{API}/jobs/{job_id}/images/known", {"images": rows[start : start + KNOWN_A_REQUEST]}))
    return job_id


def one(client: Client, request: Request) -> float:
    """Seconds from the first byte of a single image until its result was read."""
    started_s = time.perf_counter()
    image_id = json.loads(client.send(request).body)["id"]
    while client.get(f"{API}/images/{image_id}")["state"] != "done":
        time.sleep(POLL_S)
    return time.perf_counter() - started_s


def singles(setup: Setup, count: int, salt: str) -> Iterator[Request]:
    for name, data in setup.images.stream(count, salt):
        yield multipart(f"{API}/images", "file", [(name, data)])


def batches(service: Service) -> Batches:
    """Finished batches of all workers; exact to within a heartbeat."""
    ((count,),) = service.sql("SELECT coalesce(sum(batches), 0) FROM workers")
    return Batches(time.perf_counter(), int(count))


def measure(setup: Setup) -> Row:
    """Raises BacklogOver."""
    row = Row()
    pause = random.Random(0)
    latencies_s: list[list[float]] = []
    batch_s: list[float] = []
    with running({"PNEUMOSCREEN_HEARTBEAT_S": "0.2"}) as service:
        client = client_of(service)
        for number, request in enumerate(singles(setup, 3, "warm-up")):
            one(client, request)
            setup.say(f"  warm-up {number + 1}")
        row.series["idle, p95"], row.series["idle, median"] = [], []
        _add_load(row, service, setup)
        job_id = queue_backlog(client, setup)
        for number in range(setup.repeats):
            before, waits_s = batches(service), []
            for request in singles(setup, min(SINGLES, setup.count), f"single {number}"):
                time.sleep(pause.uniform(*PAUSE_S))
                waits_s.append(one(client, request))
            after = batches(service)
            latencies_s.append(waits_s)
            batch_s.append((after.at_s - before.at_s) / max(1, after.count - before.count))
            setup.say(f"  repeat {number + 1}: p95 {percentile(waits_s, 0.95):.2f} s, a batch {batch_s[-1]:.2f} s")
        left = client.get(f"{API}/jobs/{job_id}")["counts"]["queued"]
        client.send(as_json(f"{API}/jobs/{job_id}/cancel", {}))
    if left == 0:
        raise BacklogOver("the backlog was over before the singles were: take a larger one with --backlog")
    row.add("p95_s", *(percentile(waits_s, 0.95) for waits_s in latencies_s))
    row.add("median_s", *(percentile(waits_s, 0.5) for waits_s in latencies_s))
    row.add("batch_s", *batch_s)
    row.add("ratio", *(percentile(waits_s, 0.95) / s for waits_s, s in zip(latencies_s, batch_s, strict=True)))
    row.facts["backlog"] = f"{setup.backlog} bulk images queued, {left} of them waiting at the end"
    row.facts["a batch"] = "the time from one finished batch to the next, meanwhile, in the same service"
    return row


def _add_load(row: Row, service: Service, setup: Setup) -> None:
    """Latency of singles that arrive at a steady rate, whether or not the one before has been answered."""
    client = client_of(service)
    for rate in RATES:
        count = max(3, min(setup.count // 4, round(rate * 8)))
        pending = []
        with ThreadPoolExecutor(32) as pool:
            for request in singles(setup, count, f"rate {rate}"):
                pending.append(pool.submit(one, client, request))
                time.sleep(1 / rate)
            seconds = [future.result() for future in pending]
        row.series["idle, p95"].append((rate, percentile(seconds, 0.95)))
        row.series["idle, median"].append((rate, percentile(seconds, 0.5)))
