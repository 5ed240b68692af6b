"""What the database takes of an image between the queue and its result: the worker's `claim` and `finish`."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from benchmarks import cpu
from benchmarks.rows import Row, Setup
from db import claims, migrate, outcomes
from db.outcomes import Scored
from db.session import Database, now
from db.states import Decision
from imaging import cam
from tests.testing import factories, postgres

BATCH = 16
CAM = cam.pack(np.linspace(-3, 3, 49, dtype=np.float16).reshape(7, 7))
IMAGES = 800
"""Rows of one repeat."""


class Bench:
    """A database with a job; `server_cpu_s` tells what its server has used so far (0: it has none)."""

    def __init__(self, url: str, server_cpu_s: Callable[[], float]) -> None:
        migrate.upgrade(url)
        self.database = Database(url)
        self.server_cpu_s = server_cpu_s
        with self.database.begin() as session:
            self._owner = factories.user(session)
            self._model = factories.model(session)

    def run(self, count: int) -> tuple[float, float]:
        """CPU and wall seconds an image: `count` rows claimed and finished as by a worker, in batches of 16."""
        with self.database.begin() as session:
            factories.images(session, factories.job(session, self._owner), count)
        before_s = self.server_cpu_s()
        with cpu.measured() as used:
            done = 0
            while batch := self._claim():
                done += self._finish(batch)
        if done != count:
            raise AssertionError(f"{done} of {count} images were finished")
        return (used.cpu_s + self.server_cpu_s() - before_s) / count, used.wall_s / count

    def _claim(self) -> list[claims.Claim]:
        with self.database.begin() as session:
            return claims.claim(session, worker="bench", limit=BATCH, lease_s=60, now=now(session))

    def _finish(self, batch: list[claims.Claim]) -> int:
        scored = [Scored(claim, 0.25, Decision.NORMAL, 0.5, None, CAM) for claim in batch]
        with self.database.begin() as session:
            return outcomes.finish(
                session, scored, model_sha256=self._model, threshold=0.5, worker="bench", now=now(session)
            )


@contextmanager
def sqlite() -> Iterator[Bench]:
    """On the disk of the temporary directory, as `pneumoscreen up` has it in its data directory."""
    with tempfile.TemporaryDirectory(prefix="pns-bench-") as name:
        bench = Bench(f"sqlite:///{Path(name) / 'bench.db'}", lambda: 0.0)
        try:
            yield bench
        finally:
            bench.database.dispose()


@contextmanager
def postgresql() -> Iterator[Bench]:
    with postgres.serve() as server:
        process = server.process
        assert process is not None
        bench = Bench(server.new_database(), lambda: cpu.of_process(process.pid))
        try:
            yield bench
        finally:
            bench.database.dispose()


def measure(setup: Setup) -> Row:
    row = Row()
    kinds = {"sqlite": sqlite} | ({"postgresql": postgresql} if postgres.installed() else {})
    if len(kinds) == 1:
        row.facts["postgresql"] = "not measured: its server programs are not installed"
    count = min(IMAGES, setup.count * 4)
    for name, opened in kinds.items():
        with opened() as bench:
            bench.run(BATCH)
            timings = [bench.run(count) for _ in range(setup.repeats)]
        row.add(f"{name}_cpu_ms", *(cpu_s * 1e3 for cpu_s, _ in timings))
        row.add(f"{name}_images_per_s", *(1 / wall_s for _, wall_s in timings))
    return row
