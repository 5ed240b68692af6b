"""The rows of a GPU machine: forward pass in half precision, what feeds it, and the whole service. Under 8 minutes."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from statistics import median_high

import numpy as np
import torch

from benchmarks import cpu, database, decode, eager, forward, roofline, service
from benchmarks.rows import Row, Setup
from benchmarks.site import site
from benchmarks.upload import Front
from core.errors import ConfigurationError
from model import loaded
from model.registry import DEFAULT
from tests.testing.service import running

SIZES = (1, 16, 64, 256, 512, 1024, 2048)
"""Images in the batches that the engine is given; it divides them into the sizes that it measured to be fastest."""
POINT_S = 1.0
TRANSFER_MB = 64


def require() -> None:
    """Raises ConfigurationError: there is no CUDA device."""
    if not torch.cuda.is_available():
        raise ConfigurationError(
            "torch finds no CUDA device on this machine, so there is nothing for `make bench-gpu` to measure; "
            "`make bench` measures the CPU."
        )


def measure_forward(setup: Setup) -> Row:
    """Of the engine torch-cuda, from pixels in the host's memory to results in it, as a worker calls it."""
    require()
    model, row = loaded.load(DEFAULT, "torch-cuda"), Row()
    images = forward.pixels(setup)
    rates: dict[int, list[float]] = {}
    for size in SIZES:
        batch = np.resize(images, (size, *images.shape[1:]))
        for _ in range(3):
            model.predict(batch)
        rates[size] = [forward.images_per_s(model.predict, batch, POINT_S) for _ in range(setup.repeats)]
        setup.say(f"  batch {size}: {rates[size][-1]:,.0f} images/s")
        row.add(f"batch_{size}_images_per_s", *rates[size])
    row.series["torch-cuda, half precision"] = [(size, median_high(repeats)) for size, repeats in rates.items()]
    best = max(rates, key=lambda size: median_high(rates[size]))
    row.add("best_images_per_s", *rates[best])
    row.facts["best batch"] = f"{best}, in passes of {model.engine.batch_size}, which the engine chose"
    eager.add_agreement(row, model, model.predict(images), eager.predict_all(eager.load(), images))
    return row


def decode_images_per_s(setup: Setup) -> float:
    """With a thread for each core, as a worker has them."""
    files = [data for _, data in setup.images.stream(setup.few * 4, "decode")]
    started_s = time.perf_counter()
    with ThreadPoolExecutor(cpu.cores()) as pool:
        list(pool.map(decode.ours, files))
    return len(files) / (time.perf_counter() - started_s)


def transfer_images_per_s() -> float:
    """Pixels from pinned memory to the device."""
    batch = torch.zeros((TRANSFER_MB * 2**20 // 224**2, 224, 224), dtype=torch.uint8).pin_memory()
    batch.cuda()
    torch.cuda.synchronize()
    started_s, rounds = time.perf_counter(), 0
    while time.perf_counter() - started_s < POINT_S:
        batch.cuda()
        torch.cuda.synchronize()
        rounds += 1
    return rounds * len(batch) / (time.perf_counter() - started_s)


def measure_service(setup: Setup) -> Row:
    """Each stage alone with all that the machine has, then the whole service; over the slowest stage."""
    require()
    row = Row()
    model = loaded.load(DEFAULT, "torch-cuda")
    batch = np.resize(forward.pixels(setup), (model.engine.batch_size, 224, 224))
    model.predict(batch)
    stages: dict[str, list[float]] = {}
    rates: list[float] = []
    count = setup.count * 4
    # One web process takes some 450 images a second, which would be all that is measured.
    settings = {"PNEUMOSCREEN_WEB_PROCESSES": str(max(1, cpu.cores() // 4))}
    with site(settings) as at, database.sqlite() as rows, running(settings) as whole:
        front = Front(at)
        service.run(whole, setup.images, len(batch), "warm-up")
        for number in range(setup.repeats):
            alone = {
                "upload": front.send(setup.images, setup.count, f"stage {number}").images_per_s,
                "decode": decode_images_per_s(setup),
                "transfer": transfer_images_per_s(),
                "forward": forward.images_per_s(model.predict, batch),
                "database": 1 / rows.run(database.IMAGES)[1],
            }
            for name, rate in alone.items():
                stages.setdefault(name, []).append(rate)
            rates.append(service.run(whole, setup.images, count, f"service {number}").images_per_s)
            setup.say(f"  repeat {number + 1}: {rates[-1]:.0f} images/s")
    roofs = [roofline.of_slowest({name: repeats[n] for name, repeats in stages.items()}) for n in range(setup.repeats)]
    for name, repeats in stages.items():
        row.add(f"alone_{name}_images_per_s", *repeats)
    row.add("service_images_per_s", *rates)
    row.add("ratio", *(rate / roof.images_per_s for rate, roof in zip(rates, roofs, strict=True)))
    row.facts["bound by"] = roofs[-1].bound_by
    row.facts["settings"] = f"batches of {len(batch)}, as the engine chose; {cpu.cores()} decoding threads; {settings}"
    return row


ROWS = {"gpu_forward": measure_forward, "gpu_service": measure_service}
