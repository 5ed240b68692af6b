"""The forward pass of the engine that a worker would load, against eager torch in channels_last."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from benchmarks import cpu, eager
from benchmarks.decode import ours
from benchmarks.rows import Row, Setup
from benchmarks.spread import alternate, ratio
from model import loaded
from model.decision import Predictions
from model.loaded import LoadedModel
from model.registry import DEFAULT

SIZES = (1, 2, 4, 8, 16, 32, 64)
"""Batches of the plot."""
BATCH = eager.BATCH
SECONDS = 2.0
"""A repeat goes on for at least so long, and for two batches at least."""
SECONDS_OF_A_POINT = 0.5

Predict = Callable[[NDArray[np.uint8]], Predictions]


def images_per_s(predict: Predict, batch: NDArray[np.uint8], seconds: float = SECONDS) -> float:
    """Over as many whole batches as fill `seconds`."""
    started_s, batches = time.perf_counter(), 0
    while batches < 2 or time.perf_counter() - started_s < seconds:
        predict(batch)
        batches += 1
    return batches * len(batch) / (time.perf_counter() - started_s)


def cpu_s(model: LoadedModel, batch: NDArray[np.uint8]) -> float:
    """CPU seconds an image, alone, in the batches and with the threads of a worker."""
    model.predict(batch)
    with cpu.measured() as used:
        rate = images_per_s(model.predict, batch)
    return used.cpu_s / (rate * used.wall_s)


def pixels(setup: Setup, count: int | None = None) -> NDArray[np.uint8]:
    """The images as the network takes them, uint8 (N, 224, 224); repeated to `count` if there are fewer."""
    files = setup.images.files[:count]
    decoded = np.stack([ours(data) for data in files])
    return decoded if count is None else np.resize(decoded, (count, *decoded.shape[1:]))


def measure(setup: Setup) -> Row:
    model, baseline = loaded.load(DEFAULT), eager.load()
    images = pixels(setup)
    batch = np.resize(images, (BATCH, *images.shape[1:]))
    row = Row(facts={"engine": model.engine.name})
    for predict in (model.predict, baseline.predict):
        predict(batch)
    rates = alternate(
        setup.repeats,
        {
            "ours": lambda: images_per_s(model.predict, batch),
            "eager": lambda: images_per_s(baseline.predict, batch),
        },
    )
    row.add("ours_images_per_s", *rates["ours"])
    row.add("eager_images_per_s", *rates["eager"])
    row.add("ratio", *ratio(rates["ours"], rates["eager"]))
    row.add("ours_cpu_ms", *(cpu_s(model, batch) * 1e3 for _ in range(setup.repeats)))
    eager.add_agreement(row, model, eager.predict_all(model, images), eager.predict_all(baseline, images))
    row.facts["agreement"] = f"over {len(images)} images"
    for name, predict in (("ours", model.predict), ("eager channels_last torch", baseline.predict)):
        row.series[name] = [(size, _at_size(predict, images, size)) for size in SIZES]
    return row


def _at_size(predict: Predict, images: NDArray[np.uint8], size: int) -> float:
    batch = np.resize(images, (size, *images.shape[1:]))
    predict(batch)  # an engine may prepare for a new size
    return images_per_s(predict, batch, SECONDS_OF_A_POINT)
