"""A batch goes through in parts of fixed sizes, in order, on streams that are never left busy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from model.engines import passes
from model.output import NetworkOutput
from tests.testing import fakes


class Stream:
    """Gives an image's first pixel as its probability; notes what it was asked in a list shared by all streams."""

    def __init__(self, name: str, notes: list[str], *, fails_at: int | None = None) -> None:
        self.name, self._notes, self._fails_at = name, notes, fails_at
        self.sizes: list[tuple[int, int]] = []
        self.part: NDArray[np.uint8] | None = None

    def start(self, part: NDArray[np.uint8], size: int) -> None:
        assert self.part is None, "it is still busy"
        if self._fails_at == len(self.sizes):
            raise RuntimeError("the device is gone")
        self._notes.append(f"{self.name} starts")
        self.sizes.append((len(part), size))
        self.part = part.copy()

    def finish(self) -> NetworkOutput[fakes.Floats]:
        assert self.part is not None
        self._notes.append(f"{self.name} ends")
        part, self.part = self.part, None
        return fakes.output(part[:, 0, 0] / 255)


def images(count: int) -> NDArray[np.uint8]:
    """Image i is i % 256 throughout."""
    return np.broadcast_to(np.arange(count, dtype=np.uint8)[:, None, None], (count, 2, 2))


def test_the_next_stream_is_filled_before_the_first_is_read_out() -> None:
    notes: list[str] = []
    streams = [Stream("a", notes), Stream("b", notes)]
    output = passes.run(images(10), streams, [1, 4])
    assert notes == ["a starts", "b starts", "a ends", "a starts", "b ends", "a ends"]
    assert (streams[0].sizes, streams[1].sizes) == ([(4, 4), (2, 4)], [(4, 4)])
    assert output.cam[:, 0, 0] * 255 == pytest.approx(np.arange(10))


def test_a_rest_takes_the_smallest_size_that_holds_it() -> None:
    stream = Stream("a", [])
    for count in (1, 2, 8, 9):
        passes.run(images(count), [stream], [1, 8, 32])
    assert stream.sizes == [(1, 1), (2, 8), (8, 8), (9, 32)]


@given(
    count=st.integers(1, 200),
    sizes=st.lists(st.integers(1, 64), min_size=1, max_size=4, unique=True),
    streams=st.integers(1, 3),
)
def test_every_image_comes_back_once_and_in_order(count: int, sizes: list[int], streams: int) -> None:
    made = [Stream(str(number), []) for number in range(streams)]
    output = passes.run(images(count), made, sizes)
    assert output.cam[:, 0, 0] * 255 == pytest.approx(np.arange(count))
    assert len(output.features) == len(output.cam) == count
    assert all(size in sizes and size >= part for stream in made for part, size in stream.sizes)


def test_after_an_error_no_stream_is_busy() -> None:
    notes: list[str] = []
    streams = [Stream("a", notes), Stream("b", notes, fails_at=1)]
    with pytest.raises(RuntimeError, match="gone"):
        passes.run(images(16), streams, [4])
    assert [stream.part for stream in streams] == [None, None]
    assert len(passes.run(images(4), streams, [4]).logits) == 4


def test_the_smallest_batch_that_is_nearly_the_fastest() -> None:
    assert passes.fastest({1: 500, 64: 9_000, 128: 9_800, 256: 10_000, 512: 9_900}) == 128
    assert passes.fastest({1: 500, 64: 400}) == 1
