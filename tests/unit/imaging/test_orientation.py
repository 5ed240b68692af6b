"""The orientation is read from EXIF as browsers read it, and from nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imaging import orientation
from tests.testing import hostile


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("value", range(2, 9))
def test_both_byte_orders(order: str, value: int) -> None:
    assert orientation.read(hostile.exif_orientation(value, order)) == value


@pytest.mark.parametrize("value", [0, 1, 9, 65_535])
def test_a_value_that_means_nothing_is_upright(value: int) -> None:
    assert orientation.read(hostile.exif_orientation(value)) == orientation.UPRIGHT


def test_a_value_of_another_type_is_upright() -> None:
    assert orientation.read(hostile.exif_orientation(6, kind=hostile.BYTE)) == orientation.UPRIGHT


@pytest.mark.parametrize("length", range(26))
def test_cut_short_is_upright(length: int) -> None:
    whole = hostile.exif_orientation(6)
    assert orientation.read(whole[:length]) in ({1, 6} if length >= 20 else {1})


@given(st.binary(max_size=64), st.sampled_from([b"", b"II*\0", b"MM\0*"]))
def test_any_bytes_give_one_of_the_eight(noise: bytes, start: bytes) -> None:
    assert orientation.read(start + noise) in range(1, 9)
