"""The process that libFuzzer drives: one decode an input. Its arguments are libFuzzer's.

An input is a finding if anything but a PneumoscreenError comes out of it, if it takes more than two seconds of
processor time, or (libFuzzer's -rss_limit_mb) too much memory. Coverage guides through Python, ours and Pillow's;
libjpeg and zlib are not instrumented, and see what mutations that keep lengths and checksums right bring them.
"""

from __future__ import annotations

import random
import sys
import time
import zlib
from collections.abc import Callable

import atheris

with atheris.instrument_imports(
    include=["core", "imaging.decode", "imaging.raster.jpeg", "imaging.raster.png", "imaging.orientation", "PIL"]
):
    import numpy as np

    from core.errors import PneumoscreenError
    from imaging.decode import decode

from tests.testing import hostile

MAX_PIXELS = 1_000_000
MAX_CPU_S = 2.0


def decode_one(data: bytes) -> None:
    before_s = time.process_time()
    try:
        # By the length, so that a finding is found again: at full size or scaled down as far as it goes.
        pixels = decode(data, max_pixels=MAX_PIXELS, at_least_px=1 if len(data) % 2 else None)
    except PneumoscreenError:
        return
    finally:
        assert time.process_time() - before_s < MAX_CPU_S, "slow"
    assert pixels.dtype == np.uint8
    assert pixels.ndim == 2
    assert 0 < pixels.size <= MAX_PIXELS


def mutate(data: bytes, max_size: int, seed: int) -> bytes:
    """Half of the time libFuzzer's own way; else shuffled parts, or changed pixels below a right checksum."""
    chance = random.Random(seed)
    ways: tuple[Callable[[bytes, int, random.Random], bytes], ...] = (_plain, _plain, _shuffled, _inside)
    return chance.choice(ways)(data, max_size, chance)[:max_size]


def _plain(data: bytes, max_size: int, chance: random.Random) -> bytes:
    changed = bytes(atheris.Mutate(data, max_size))
    return hostile.mended(changed) if chance.random() < 0.8 else changed


def _shuffled(data: bytes, max_size: int, chance: random.Random) -> bytes:
    """One part left out, doubled or moved."""
    if data.startswith(hostile.PNG_SIGNATURE):
        start, pieces = hostile.PNG_SIGNATURE, [hostile.chunk(*part) for part in hostile.png_parts(data)]
    else:
        start, pieces = b"", hostile.jpeg_parts(data)
    if not pieces:
        return _plain(data, max_size, chance)
    piece = chance.choice(pieces)
    if chance.random() < 0.5:
        pieces.remove(piece)
    if chance.random() < 0.7:
        pieces.insert(chance.randrange(len(pieces) + 1), piece)
    return start + b"".join(pieces)


def _inside(data: bytes, max_size: int, chance: random.Random) -> bytes:
    """The unpacked rows of a PNG are changed and packed again; another chunk has its body changed."""

    def change(kind: bytes, body: bytes) -> bytes:
        if chance.random() < 0.5:
            return body
        if kind != b"IDAT":
            return bytes(atheris.Mutate(body, len(body) + 16)) if body else body
        try:
            rows = zlib.decompressobj().decompress(body, 100_000)
        except zlib.error:
            return body
        return zlib.compress(bytes(atheris.Mutate(rows, len(rows) + 64)), 1) if rows else body

    if data.startswith(hostile.PNG_SIGNATURE):
        return hostile.mended(data, change)
    pieces = hostile.jpeg_parts(data)
    place = chance.randrange(len(pieces))
    if pieces[place]:
        pieces[place] = bytes(atheris.Mutate(pieces[place], len(pieces[place]) + 16))
    return b"".join(pieces)


if __name__ == "__main__":
    atheris.Setup(sys.argv, decode_one, custom_mutator=mutate)
    atheris.Fuzz()
