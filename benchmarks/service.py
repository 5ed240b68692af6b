"""The whole service, first byte uploaded to last result stored, against what its stages take alone."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass

from benchmarks import cpu, database, decode, forward, roofline
from benchmarks.client import Client
from benchmarks.images import Images
from benchmarks.rows import Row, Setup
from benchmarks.site import site
from benchmarks.upload import CONCURRENCY, Front, new_job, requests
from model import loaded
from model.registry import DEFAULT
from tests.testing.service import Service, running

POLL_S = 0.02
TIMEOUT_S = 600.0
STAGES = ("upload", "decode", "forward", "database")


@dataclass(frozen=True, slots=True)
class Run:
    """One bulk job. `cpu_s`: of each part of the service and of the client, an image."""

    images_per_s: float
    cpu_s: dict[str, float]
    idle: float
    """Share of all cores' time in which neither the service nor the client ran."""


def client_of(service: Service) -> Client:
    return Client(service.url, {"Authorization": f"Bearer {service.token}"})


def run(service: Service, images: Images, count: int, salt: str) -> Run:
    """Send `count` images as one bulk job and wait for the last result."""
    client = client_of(service)
    job_id = new_job(client)
    batch = requests(job_id, images, count, salt)
    assert service.process is not None
    before = cpu.of_parts(service.process.pid)
    with cpu.measured() as used:
        client.send_all(batch, CONCURRENCY)
        wait_until_done(service, job_id, count)
    after = cpu.of_parts(service.process.pid)
    spent = {name: (after[name] - before.get(name, 0.0)) / count for name in after}
    spent["client"] = used.cpu_s / count
    idle = 1 - sum(spent.values()) * count / (used.wall_s * cpu.cores())
    return Run(count / used.wall_s, spent, max(0.0, idle))


def wait_until_done(service: Service, job_id: int, count: int) -> None:
    """By asking the database, which costs less than asking the web process.

    Raises:
        TimeoutError, AssertionError: it takes too long, or an image failed.
    """
    query = "SELECT state, count(*) FROM images WHERE job_id = ? GROUP BY state"
    deadline_s = time.monotonic() + TIMEOUT_S
    with closing(sqlite3.connect(service.data_dir / "pneumoscreen.db", timeout=30)) as connection:
        while True:
            counts = dict(connection.execute(query, (job_id,)).fetchall())
            if counts.get("done", 0) == count:
                return
            if counts.get("failed", 0):
                raise AssertionError(f"images failed: {counts}")
            if time.monotonic() > deadline_s:
                raise TimeoutError(f"{counts} after {TIMEOUT_S:g} s")
            time.sleep(POLL_S)


def measure(setup: Setup) -> Row:
    """Each repeat measures the stages alone, then the service, so that both see the same machine."""
    row = Row()
    model = loaded.load(DEFAULT)
    batch = forward.pixels(setup, database.BATCH)
    stages: dict[str, list[float]] = {name: [] for name in STAGES}
    runs: list[Run] = []
    client_s: list[float] = []
    with site() as at, database.sqlite() as rows, running() as service:
        front = Front(at)
        for warm_up in (front.send, lambda *arguments: run(service, *arguments)):
            warm_up(setup.images, 2 * database.BATCH, "warm-up")
        for number in range(setup.repeats):
            sent = front.send(setup.images, setup.few, f"stage {number}")
            client_s.append(sent.client_cpu_s)
            stages["upload"].append(sent.web_cpu_s)
            stages["decode"].append(decode.cpu_s(setup))
            stages["forward"].append(forward.cpu_s(model, batch))
            stages["database"].append(rows.run(min(database.IMAGES, setup.count * 4))[0])
            runs.append(run(service, setup.images, setup.count, f"service {number}"))
            setup.say(f"  repeat {number + 1} of {setup.repeats}: {runs[-1].images_per_s:.1f} images/s")
    _add_roofline(row, stages, client_s, runs)
    row.add("image_bytes", setup.images.mean_bytes)
    row.facts["engine"] = model.engine.name
    return row


def _add_roofline(row: Row, stages: dict[str, list[float]], client_s: list[float], runs: list[Run]) -> None:
    cores = cpu.cores()
    each = [{name: stages[name][number] for name in STAGES} for number in range(len(runs))]
    roofs = [roofline.of_cores(cores, cpu_s) for cpu_s in each]
    with_client = [
        roofline.of_cores(cores, cpu_s | {"client": client}) for cpu_s, client in zip(each, client_s, strict=True)
    ]
    row.add("service_images_per_s", *(run.images_per_s for run in runs))
    row.add("roofline_images_per_s", *(roof.images_per_s for roof in roofs))
    row.add("ratio", *(run.images_per_s / roof.images_per_s for run, roof in zip(runs, roofs, strict=True)))
    row.add("ratio_with_client", *(i.images_per_s / r.images_per_s for i, r in zip(runs, with_client, strict=True)))
    for name in STAGES:
        row.add(f"alone_{name}_cpu_ms", *(value * 1e3 for value in stages[name]))
    row.add("alone_client_cpu_ms", *(value * 1e3 for value in client_s))
    for name in sorted({name for run in runs for name in run.cpu_s}):
        row.add(f"in_service_{name}_cpu_ms", *(run.cpu_s.get(name, 0.0) * 1e3 for run in runs))
    row.add("in_service_idle_share", *(run.idle for run in runs))
    bound = roofs[-1]
    row.facts["bound by"] = f"{bound.bound_by}, {bound.share:.0%} of the CPU seconds of an image"
