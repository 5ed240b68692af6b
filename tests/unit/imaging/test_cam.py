"""The stored form of a class activation map."""

from __future__ import annotations

import numpy as np
import pytest

from imaging.cam import SIZE_BYTES, pack, unpack


def test_round_trip() -> None:
    cells = np.arange(49, dtype=np.float16).reshape(7, 7) / np.float16(8)
    assert len(pack(cells)) == SIZE_BYTES == 98
    assert np.array_equal(unpack(pack(cells)), cells)
    assert unpack(pack(cells)).dtype == np.float16


def test_rows_come_first_and_bytes_are_little_endian() -> None:
    cells = np.zeros((7, 7), np.float16)
    cells[0, 1] = 1  # 0x3c00
    assert pack(cells)[2:4] == b"\x00\x3c"


@pytest.mark.parametrize("shape", [(7, 8), (49,), (1, 7, 7)])
def test_another_shape_is_a_mistake(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="expected"):
        pack(np.zeros(shape, np.float16))


def test_bytes_of_another_length_are_refused() -> None:
    with pytest.raises(ValueError, match="98 bytes"):
        unpack(b"short")
