"""Every part of an image's time is found, before and after, and the parts make up the whole."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import profiles
from tests.testing import factories


@pytest.fixture(scope="module")
def files() -> list[bytes]:
    return [factories.jpeg(number, size_px=(700, 500)) for number in range(profiles.FILES_A_REQUEST)]


def test_forward() -> None:
    pixels = np.stack([factories.radiograph(number, size_px=(224, 224)) for number in range(2)])
    before, after = profiles.eager_forward(pixels), profiles.engine_forward(pixels)
    assert before["convolutions, float32"] > 0
    assert {"convolutions, float32", "batch normalisation", "pooling"} <= set(before)
    assert sum(after[name] for name in after if name.endswith("int8")) > 0


def test_decode(files: list[bytes]) -> None:
    before, after = profiles.plain_decode(files), profiles.our_decode(files)
    assert {"entropy decoding", "inverse DCT and colour", "resize"} <= set(before) & set(after)
    assert min(after["entropy decoding"], sum(after.values())) > 0


def test_upload(files: list[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profiles, "REQUESTS", 2)
    for piece_bytes in (1, 2**20):
        parts = profiles.upload(files, piece_bytes)
        assert set(parts) == {"reading the body", "finding the files in it"}
        assert min(parts.values()) > 0


def test_a_table_has_the_largest_part_first_and_the_sum_last() -> None:
    table = profiles._table("forward", {"a": 1.0, "b": 3.0}, {"b": 0.5, "c": 2.0})
    assert table.splitlines()[2:] == [
        "| b | 3.00 | 0.50 |",
        "| c |  | 2.00 |",
        "| a | 1.00 |  |",
        "| **all of it** | **4.00** | **2.50** |",
    ]
