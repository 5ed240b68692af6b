"""`python -m benchmarks.bit_depths DATA`: whether the 16-bit file of a radiograph gets the answer of its 8-bit file.

DATA holds `adult_chest` and `originals`. Each radiograph is stored as detectors of several depths would have, and
judged by the model that ships. A row tells by how much its probability differs, and how many decisions change.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console
from rich.table import Table

from imaging import preprocess
from imaging.decode import decode
from model import loaded
from model.loaded import LoadedModel
from model.registry import DEFAULT

Gray = NDArray[np.uint8]
Deep = NDArray[np.uint16]
MAX_SIDE_PX = 1000
"""Larger radiographs are made smaller, to save time."""


def scaled(top: float, offset: int = 0) -> Callable[[Gray], Deep]:
    """Stored so that white is `top` above black, which is `offset`."""
    return lambda gray: (np.rint(gray / 255 * top) + offset).astype(np.uint16)


def marked(store: Callable[[Gray], Deep], value: int, rows: slice, columns: slice) -> Callable[[Gray], Deep]:
    """Stored, and a rectangle overwritten by `value`."""

    def mark(gray: Gray) -> Deep:
        deep = store(gray)
        deep[rows, columns] = value
        return deep

    return mark


PIXEL, LABEL, EDGE = (slice(99, 100),) * 2, (slice(10, 40), slice(10, 60)), (slice(None), slice(0, 12))
KINDS: dict[str, Callable[[Gray], Deep]] = {
    **{f"{bits} bit": scaled((1 << bits) - 1) for bits in (10, 12, 13, 14, 15, 16)},
    **{f"12 bit, up to {share} of it": scaled(share * 4095) for share in (0.9, 0.8, 0.7, 0.6, 0.5)},
    "12 bit, up to 1500": scaled(1500),
    "13 bit, up to 0.8 of it": scaled(0.8 * 8191),
    "12 bit, a pixel of 5000": marked(scaled(4095), 5000, *PIXEL),
    "12 bit, a pixel of 65535": marked(scaled(4095), 65535, *PIXEL),
    "12 bit, a label of 65535": marked(scaled(4095), 65535, *LABEL),
    "12 bit from 1024": scaled(4095, 1024),
    "16 bit, an edge of 0": marked(scaled(65535), 0, *EDGE),
    "12 bit from 1024, an edge of 0": marked(scaled(4095, 1024), 0, *EDGE),
    "12 bit from 32768": scaled(4095, 32768),
}


def as_png(pixels: Gray | Deep) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG", compress_level=1)
    return out.getvalue()


def radiograph(file: Path) -> Gray:
    image = Image.fromarray(decode(file.read_bytes()))
    image.thumbnail((MAX_SIDE_PX, MAX_SIDE_PX))
    return np.asarray(image)


def probabilities(
    model: LoadedModel, radiographs: list[Gray], store: Callable[[Gray], Gray | Deep]
) -> NDArray[np.float32]:
    inputs = np.stack([preprocess.read(as_png(store(gray))) for gray in radiographs])
    return model.predict(inputs).probability


def compare(model: LoadedModel, sets: dict[str, list[Gray]], kinds: dict[str, Callable[[Gray], Deep]]) -> Table:
    table = Table("stored as")
    for name, radiographs in sets.items():
        table.add_column(f"{name}: largest difference")
        table.add_column(f"decisions changed of {len(radiographs)}")
    of_8_bit = {name: probabilities(model, radiographs, lambda gray: gray) for name, radiographs in sets.items()}
    for kind, store in kinds.items():
        cells = []
        for name, radiographs in sets.items():
            probability, expected = probabilities(model, radiographs, store), of_8_bit[name]
            changed = (probability >= model.threshold) != (expected >= model.threshold)
            cells += [f"{np.abs(probability - expected).max():.2f}", str(changed.sum())]
        table.add_row(kind, *cells)
    return table


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bit_depths", description=__doc__)
    parser.add_argument("data", type=Path, help="the folder that holds both")
    parser.add_argument("--each", type=int, default=15, help="how many originals of each class (default: 15)")
    arguments = parser.parse_args()
    folders = [arguments.data / "originals" / name for name in ("NORMAL", "PNEUMONIA")]
    files = {
        "adults": sorted((arguments.data / "adult_chest").iterdir()),
        "originals": [file for folder in folders for file in sorted(folder.iterdir())[: arguments.each]],
    }
    sets = {name: [radiograph(file) for file in of_set] for name, of_set in files.items()}
    Console().print(compare(loaded.load(DEFAULT, "torch-cpu"), sets, KINDS))


if __name__ == "__main__":
    main()
