"""`python -m benchmarks`: a real service on this machine, timed from the first byte sent to the last result stored."""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import numpy as np

from model import engines
from model.registry import DEFAULT
from tests import factories
from tests.service import Service, running, wait_until

BATCH_SIZE = 16
WARM_UPS = 2
REPEATS = 8


@dataclass(frozen=True, slots=True)
class Figures:
    machine: str
    cores: int
    forward_images_per_s: float
    bulk_images: int
    bulk_images_per_s: float
    bulk_over_forward: float
    singles: int
    singles_batches: int
    singles_images_per_batch: float
    singles_images_per_s: float


def forward_images_per_s() -> float:
    """The forward pass alone, in batches of 16: what the service is held against."""
    predictor = engines.load(DEFAULT)
    batch = np.random.default_rng(0).integers(0, 255, (BATCH_SIZE, 224, 224), dtype=np.uint8)
    seconds: list[float] = []
    for _ in range(WARM_UPS + REPEATS):
        started_at = time.perf_counter()
        predictor.predict(batch)
        seconds.append(time.perf_counter() - started_at)
    return BATCH_SIZE / median(seconds[WARM_UPS:])


def screen_bulk(service: Service, files: list[tuple[str, bytes]]) -> float:
    """One bulk job of `files`; images per second."""
    started_at = time.perf_counter()
    job_id = service.upload(files, name="bulk")
    service.wait_for_done(job_id, len(files), timeout_s=600)
    return len(files) / (time.perf_counter() - started_at)


def screen_singles(service: Service, count: int) -> tuple[int, float]:
    """`count` jobs of one image each, sent eight at a time: batches they took, images per second."""
    data = [factories.jpeg(10_000 + seed, size_px=(600, 500)) for seed in range(count)]
    batches_before = _totals(service)[0]
    images_before = _totals(service)[1]
    started_at = time.perf_counter()
    with service.client() as client, ThreadPoolExecutor(8) as pool:
        answers = pool.map(lambda d: client.post("/api/v1/images", files={"file": ("x.jpg", d)}).status_code, data)
        assert set(answers) == {202}
    wait_until(lambda: _totals(service)[1] - images_before >= count, timeout_s=600, what="the singles")
    seconds = time.perf_counter() - started_at
    return _totals(service)[0] - batches_before, count / seconds


def _totals(service: Service) -> tuple[int, int]:
    ((batches, images),) = service.sql("SELECT sum(batches), sum(images) FROM workers")
    return int(batches), int(images)


def measure(bulk: int, singles: int) -> Figures:
    forward = forward_images_per_s()
    files = [(f"{seed}.jpg", factories.jpeg(seed, size_px=(1400, 1100))) for seed in range(bulk)]
    with running({"PNEUMOSCREEN_BATCH_SIZE": str(BATCH_SIZE), "PNEUMOSCREEN_HEARTBEAT_S": "0.2"}) as service:
        bulk_rate = screen_bulk(service, files)
        batches, singles_rate = screen_singles(service, singles)
    return Figures(
        machine=f"{platform.machine()} {platform.system()}",
        cores=os.cpu_count() or 1,
        forward_images_per_s=forward,
        bulk_images=bulk,
        bulk_images_per_s=bulk_rate,
        bulk_over_forward=bulk_rate / forward,
        singles=singles,
        singles_batches=batches,
        singles_images_per_batch=singles / batches,
        singles_images_per_s=singles_rate,
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--bulk", type=int, default=200, help="images in the bulk job (1400 x 1100 px JPEG)")
    parser.add_argument("--singles", type=int, default=400, help="uploads of one image each")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    arguments = parser.parse_args()
    figures = asdict(measure(arguments.bulk, arguments.singles))
    width = max(map(len, figures))
    for name, value in figures.items():
        print(f"{name:{width}}  {value:.2f}" if isinstance(value, float) else f"{name:{width}}  {value}")
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
