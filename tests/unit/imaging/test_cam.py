"""The stored form of a class activation map, and its tint: pale where little speaks for pneumonia, never stretched."""

from __future__ import annotations

import numpy as np
import pytest

from imaging.cam import SIZE_BYTES, STRONG, Map, pack, points, strengths, strongest_half, tint, unpack


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


def cells(value: float = 0.0, **at: float) -> Map:
    """A map of one value, but for `r<row>c<column>`."""
    made = np.full((7, 7), value, np.float16)
    for name, other in at.items():
        made[int(name[1]), int(name[3])] = other
    return made


def test_a_weak_map_stays_pale() -> None:
    assert strengths(cells(r3c3=1.0), 0.5).max() == pytest.approx(1 / STRONG)


def test_a_very_strong_one_ends_at_full() -> None:
    strength = strengths(cells(r3c3=20.0, r0c0=15.0, r6c6=10.0), 0.5)
    assert (strength[3, 3], strength[0, 0]) == pytest.approx((1.0, 0.75))


def test_strength_counts_from_the_operating_point() -> None:
    assert strengths(cells(2.0), 0.5).max() == pytest.approx(0.5)
    assert strengths(cells(2.0), 0.9).max() == 0
    assert np.isfinite(strengths(cells(2.0), 0.0)).all()


def test_the_strongest_half_is_the_fewest_cells_that_hold_it() -> None:
    half = strongest_half(cells(-3.0, r0c0=5.0, r2c2=4.0, r4c4=3.0, r6c6=2.0), 0.5)
    assert np.argwhere(half).tolist() == [[0, 0], [2, 2]]


def test_what_is_weaker_than_the_strongest_half_is_not_tinted() -> None:
    strength = strengths(cells(1.0, r2c2=60.0), 0.5)
    assert np.argwhere(strength).tolist() == [[2, 2]]


def test_of_even_evidence_half_of_the_cells_are_the_strongest_half() -> None:
    assert strongest_half(cells(2.0), 0.5).sum() == 25


def test_where_nothing_speaks_for_pneumonia_there_is_no_half() -> None:
    assert not strongest_half(cells(0.0), 0.5).any()
    assert not strongest_half(cells(2.0), 0.95).any()


def test_a_map_points_if_half_of_the_evidence_lies_in_a_quarter_of_the_x_ray() -> None:
    assert points(cells(-1.0, r3c3=1.0), 0.5)
    assert not points(cells(1.0), 0.5)  # spread
    assert not points(cells(-1.0), 0.5)  # nothing


def test_the_tint_is_smooth_and_lies_where_the_cell_does() -> None:
    tinted = tint(cells(r1c5=4.0), 0.5)
    assert tinted.shape == (224, 224)
    assert tinted[48, 176] > 0.9
    assert tinted[200, 20] == 0
    assert 0 <= tinted.min() <= tinted.max() <= 1


def test_a_map_that_points_nowhere_tints_nothing() -> None:
    assert tint(cells(3.0), 0.5).max() == 0
