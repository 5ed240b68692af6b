"""Decoding and resizing to what the network takes, against what anyone would write with Pillow."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks import cpu, eager
from benchmarks.rows import Row, Setup
from benchmarks.spread import alternate, ratio
from imaging import preprocess
from imaging.preprocess import FILTER
from imaging.transform import INPUT_PX

Pixels = NDArray[np.uint8]


def ours(data: bytes) -> Pixels:
    """uint8 (224, 224), as a worker makes it, with every check of a file that nobody vouches for."""
    return preprocess.read(data)


def plain(data: bytes) -> Pixels:
    """uint8 (224, 224) by Pillow's open, convert and resize, with the same filter and no check."""
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("L").resize((INPUT_PX, INPUT_PX), FILTER), dtype=np.uint8)


def cpu_s(setup: Setup) -> float:
    """CPU seconds an image of `ours`, alone."""
    files = [data for _, data in setup.images.stream(setup.few, "decode")]
    with cpu.measured() as used:
        for data in files:
            ours(data)
    return used.cpu_s / len(files)


def measure(setup: Setup) -> Row:
    """Rates of one thread, their ratio, and whether the network sees the same thing."""
    files = setup.images.files

    def seconds(read: Callable[[bytes], Pixels]) -> float:
        with cpu.measured() as used:
            for data in files:
                read(data)
        return used.wall_s

    for read in (ours, plain):
        seconds(read)  # what is loaded on first use
    wall_s = alternate(setup.repeats, {"ours": lambda: seconds(ours), "plain": lambda: seconds(plain)})
    row = Row()
    row.add("ours_images_per_s", *(len(files) / s for s in wall_s["ours"]))
    row.add("plain_images_per_s", *(len(files) / s for s in wall_s["plain"]))
    row.add("ratio", *ratio(wall_s["plain"], wall_s["ours"]))
    row.add("ours_cpu_ms", *(cpu_s(setup) * 1e3 for _ in range(setup.repeats)))
    _add_parity(row, files)
    return row


def _add_parity(row: Row, files: tuple[bytes, ...]) -> None:
    left, right = np.stack([ours(data) for data in files]), np.stack([plain(data) for data in files])
    difference = np.abs(left.astype(np.int16) - right).mean((1, 2))
    row.add("mean_gray_levels_apart", float(difference.mean()))
    row.add("worst_image_gray_levels_apart", float(difference.max()))
    model = eager.load()
    eager.add_agreement(row, model, eager.predict_all(model, left), eager.predict_all(model, right))
    row.facts["parity"] = f"over {len(files)} images, judged by eager torch"
