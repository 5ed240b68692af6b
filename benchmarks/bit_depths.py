"""`python -m benchmarks.bit_depths DATA`: whether the 16-bit file of a radiograph gets the answer of its 8-bit file.

DATA holds `adult_chest` and `originals`. Each radiograph is stored as detectors of several depths would have, and
judged by the model that ships. A row tells by how much its probability differs from that of the 8-bit file with the
same mark, if it has one, so that depth alone is measured, and how many decisions change.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

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
Depth = TypeVar("Depth", np.uint8, np.uint16)
MAX_SIDE_PX = 1000
"""Larger radiographs are made smaller, to save time."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A rectangle overwritten by one value, which is `gray` in the file of 8 bits."""

    gray: int
    top: int
    bottom: int
    left: int
    right: int

    def put(self, pixels: NDArray[Depth], value: int) -> NDArray[Depth]:
        marked = pixels.copy()
        marked[self.top : self.bottom, self.left : self.right] = value
        return marked


PIXEL = Mark(255, 99, 100, 99, 100)
LABEL = Mark(255, 10, 40, 10, 60)
EDGE = Mark(0, 0, MAX_SIDE_PX, 0, 12)


@dataclass(frozen=True, slots=True)
class Kind:
    """Stored so that white is `top` above black, which is `offset`; `mark`, if any, has the value `marked`."""

    top: float
    offset: int = 0
    mark: Mark | None = None
    marked: int = 0

    def deep(self, gray: Gray) -> Deep:
        deep = (np.rint(gray / 255 * self.top) + self.offset).astype(np.uint16)
        return self.mark.put(deep, self.marked) if self.mark else deep


KINDS = {
    **{f"{bits} bit": Kind((1 << bits) - 1) for bits in (10, 12, 13, 14, 15, 16)},
    **{f"12 bit, up to {share} of it": Kind(share * 4095) for share in (0.9, 0.8, 0.7, 0.6, 0.5)},
    "12 bit, up to 1500": Kind(1500),
    "13 bit, up to 0.8 of it": Kind(0.8 * 8191),
    "12 bit, a pixel of 5000": Kind(4095, mark=PIXEL, marked=5000),
    "12 bit, a pixel of 65535": Kind(4095, mark=PIXEL, marked=65535),
    "12 bit, a label of 65535": Kind(4095, mark=LABEL, marked=65535),
    "12 bit from 1024": Kind(4095, 1024),
    "16 bit, an edge of 0": Kind(65535, mark=EDGE),
    "12 bit from 1024, an edge of 0": Kind(4095, 1024, mark=EDGE),
    "12 bit from 32768": Kind(4095, 32768),
}


def as_png(pixels: Gray | Deep) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG", compress_level=1)
    return out.getvalue()


def radiograph(file: Path) -> Gray:
    image = Image.fromarray(decode(file.read_bytes()))
    image.thumbnail((MAX_SIDE_PX, MAX_SIDE_PX))
    return np.asarray(image)


def probabilities(predictor: LoadedModel, pictures: Iterable[Gray | Deep]) -> NDArray[np.float32]:
    return predictor.predict(np.stack([preprocess.read(as_png(picture)) for picture in pictures])).probability


def of_8_bit(predictor: LoadedModel, radiographs: list[Gray], mark: Mark | None) -> NDArray[np.float32]:
    """What a kind with this mark is compared with."""
    return probabilities(predictor, [mark.put(gray, mark.gray) if mark else gray for gray in radiographs])


def compare(predictor: LoadedModel, sets: dict[str, list[Gray]], kinds: dict[str, Kind]) -> Table:
    table = Table("stored as")
    for name, radiographs in sets.items():
        table.add_column(f"{name}: largest difference")
        table.add_column(f"decisions changed of {len(radiographs)}")
    marks = {kind.mark for kind in kinds.values()}
    expected = {(name, mark): of_8_bit(predictor, sets[name], mark) for name in sets for mark in marks}
    for name_of_kind, kind in kinds.items():
        cells = []
        for name, radiographs in sets.items():
            probability, of_same_mark = probabilities(predictor, map(kind.deep, radiographs)), expected[name, kind.mark]
            changed = (probability >= predictor.threshold) != (of_same_mark >= predictor.threshold)
            cells += [f"{np.abs(probability - of_same_mark).max():.2f}", str(changed.sum())]
        table.add_row(name_of_kind, *cells)
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
