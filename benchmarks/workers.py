"""How throughput grows with workers, each confined to a core of its own, over a queue that is full from the start."""

from __future__ import annotations

import hashlib
import sqlite3
import time
from contextlib import closing
from statistics import median_high

import psutil

from benchmarks import cpu
from benchmarks.client import Client, as_json
from benchmarks.rows import Row, Setup
from benchmarks.site import Site, site
from benchmarks.spread import ratio
from benchmarks.upload import API, CONCURRENCY, new_job, requests

ROUNDS = 2
"""Times `Setup.count` images for each worker in one repeat: more workers do not mean a shorter measurement, and the
first and the last batch, which overlap nothing, are a small part of it.
"""
KNOWN_A_REQUEST = 500
TIMEOUT_S = 600.0


def counts(cores: int) -> list[int]:
    """1, 2, 4… workers, one a core."""
    return [number for number in (1, 2, 4, 8, 16, 32) if number <= cores]


class Queue:
    """A site whose images were all uploaded before; declared it again sends no bytes."""

    def __init__(self, at: Site, setup: Setup) -> None:
        self._site = at
        at.start_web()
        self._client = Client(at.url, {"Authorization": f"Bearer {at.token}"})
        count = len(setup.images.files)
        self._sha256s = [hashlib.sha256(data).hexdigest() for _, data in setup.images.stream(count, "known")]
        self._client.send_all(requests(new_job(self._client), setup.images, count, "known"), CONCURRENCY)

    def start_workers(self, number: int) -> None:
        cores = psutil.Process().cpu_affinity() if hasattr(psutil.Process, "cpu_affinity") else None
        for index in range(number):
            variables = {"OMP_NUM_THREADS": "1", "PNEUMOSCREEN_DECODE_THREADS": "1"}
            process = self._site.start(f"worker {index}", "-m", "cli", "worker", **variables)
            if cores:
                psutil.Process(process.pid).cpu_affinity([cores[index]])
        self._site.wait_for_workers(number)
        self._wait_until_empty()

    def fill(self, count: int, name: str) -> None:
        """`count` rows of images whose bytes are stored already."""
        job_id = new_job(self._client)
        rows = [
            {"filename": f"{name}-{number}", "sha256": self._sha256s[number % len(self._sha256s)]}
            for number in range(count)
        ]
        for start in range(0, count, KNOWN_A_REQUEST):
            body = {"images": rows[start : start + KNOWN_A_REQUEST]}
            self._client.send(as_json(f"{API}/jobs/{job_id}/images/known", body))

    def drain(self, count: int, name: str) -> float:
        """Images per second from the first claim to the last result."""
        started_s = time.perf_counter()
        self.fill(count, name)
        self._wait_until_empty()
        return count / (time.perf_counter() - started_s)

    def _wait_until_empty(self) -> None:
        deadline_s = time.monotonic() + TIMEOUT_S
        query = "SELECT count(*) FROM images WHERE state IN ('queued', 'running')"
        with closing(sqlite3.connect(self._site.directory / "site.db", timeout=30)) as connection:
            while connection.execute(query).fetchone() != (0,):
                if time.monotonic() > deadline_s:
                    raise TimeoutError(f"the queue is not empty after {TIMEOUT_S:g} s")
                time.sleep(0.02)


def measure(setup: Setup) -> Row:
    row = Row()
    numbers = counts(cpu.cores())
    rates: dict[int, list[float]] = {number: [] for number in numbers}
    for number in numbers:
        with site() as at:
            queue = Queue(at, setup)
            queue.start_workers(number)
            for repeat in range(setup.repeats):
                rates[number].append(queue.drain(setup.count * ROUNDS * number, f"{repeat}"))
        setup.say(f"  {number} worker(s): {rates[number][-1]:.1f} images/s")
        row.add(f"workers_{number}_images_per_s", *rates[number])
    row.series["workers"] = [(number, median_high(repeats)) for number, repeats in rates.items()]
    if 2 in rates:
        row.add("ratio", *ratio(rates[2], rates[1]))
    row.facts["each worker"] = "one core, one thread of the network, one decoding thread; the queue filled beforehand"
    return row
