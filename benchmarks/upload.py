"""The front end without workers: what an image costs the web process, and how it compares with writing to the disk."""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import cpu
from benchmarks.client import Client, Request, as_json, chunks, multipart
from benchmarks.images import Images
from benchmarks.rows import Row, Setup
from benchmarks.site import Site, site
from benchmarks.spread import ratio

FILES_A_REQUEST = 16
"""As `pneumoscreen submit` sends them."""
CONCURRENCY = 4
API = "/api/v1"


@dataclass(frozen=True, slots=True)
class Sent:
    """Of one job, until its last file was answered. The client is this process."""

    images_per_s: float
    web_cpu_s: float
    client_cpu_s: float


def requests(job_id: int, images: Images, count: int, salt: str) -> list[Request]:
    """A job's uploads, sixteen files each, no two files alike."""
    files = chunks(images.stream(count, salt), FILES_A_REQUEST)
    return [multipart(f"{API}/jobs/{job_id}/images", "files", chunk) for chunk in files]


def new_job(client: Client, priority: str = "bulk") -> int:
    body = client.send(as_json(f"{API}/jobs", {"name": "bench", "priority": priority})).body
    return int(as_object(body)["id"])


def as_object(body: bytes) -> dict[str, Any]:
    fields: dict[str, Any] = json.loads(body)
    return fields


class Front:
    """Web processes of its own; no worker ever takes what they are sent."""

    def __init__(self, at: Site) -> None:
        at.start_web()
        self._web_pid = at.processes["web"].pid
        self._client = Client(at.url, {"Authorization": f"Bearer {at.token}"})

    def send(self, images: Images, count: int, salt: str) -> Sent:
        batch = requests(new_job(self._client), images, count, salt)
        before_s = cpu.of_process(self._web_pid)
        with cpu.measured() as used:
            self._client.send_all(batch, CONCURRENCY)
        web_cpu_s = cpu.of_process(self._web_pid) - before_s
        return Sent(count / used.wall_s, web_cpu_s / count, used.cpu_s / count)


def write_to_disk(files: Sequence[bytes], *, durable: bool) -> float:
    """Files per second, each written under a name of its own by as many threads as the client has connections.

    Args:
        durable: wait until each has reached the disk, as an upload does before it is answered.
    """
    with tempfile.TemporaryDirectory(prefix="pns-bench-") as name:

        def write(numbered: tuple[int, bytes]) -> None:
            number, data = numbered
            with (Path(name) / str(number)).open("wb") as file:
                file.write(data)
                if durable:
                    file.flush()
                    os.fsync(file.fileno())

        started_s = time.perf_counter()
        with ThreadPoolExecutor(CONCURRENCY) as pool:
            list(pool.map(write, enumerate(files)))
        return len(files) / (time.perf_counter() - started_s)


def measure(setup: Setup) -> Row:
    row = Row()
    files = [data for _, data in setup.images.stream(setup.count, "disk")]
    uploads: list[Sent] = []
    durable: list[float] = []
    cached: list[float] = []
    with site({"PNEUMOSCREEN_WEB_PROCESSES": str(cpu.cores())}) as at:
        front = Front(at)
        front.send(setup.images, FILES_A_REQUEST, "warm-up")
        for number in range(setup.repeats):
            uploads.append(front.send(setup.images, setup.count, f"upload {number}"))
            durable.append(write_to_disk(files, durable=True))
            cached.append(write_to_disk(files, durable=False))
    rates = [sent.images_per_s for sent in uploads]
    row.add("front_end_images_per_s", *rates)
    row.add("disk_images_per_s", *durable)
    row.add("ratio", *ratio(rates, durable))
    row.add("disk_without_fsync_images_per_s", *cached)
    row.add("web_cpu_ms", *(sent.web_cpu_s * 1e3 for sent in uploads))
    row.add("client_cpu_ms", *(sent.client_cpu_s * 1e3 for sent in uploads))
    size = f"{setup.images.mean_bytes / 1e3:.0f} kB a file"
    row.facts["web processes"] = f"{cpu.cores()}, one a core"
    row.facts["client"] = f"{FILES_A_REQUEST} files a request, {CONCURRENCY} at a time, on the same cores; {size}"
    return row
