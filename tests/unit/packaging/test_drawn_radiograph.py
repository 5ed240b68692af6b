"""The radiographs in the README's pictures are drawn ones that the decoder reads."""

from __future__ import annotations

import pytest

from imaging.decode import decode
from scripts import drawn_radiograph


def test_each_seed_is_another_radiograph() -> None:
    first, again, second = (drawn_radiograph.jpeg(seed) for seed in (1, 1, 2))
    assert first == again != second
    assert decode(first).shape == (drawn_radiograph.HEIGHT_PX, drawn_radiograph.WIDTH_PX)


@pytest.mark.parametrize(("column", "brighter"), [(870, True), (370, False)])
def test_a_shadow_lies_on_one_side(column: int, brighter: bool) -> None:
    clear, dense = (decode(drawn_radiograph.jpeg(1, opacity=opacity))[660, column] for opacity in (0.0, 1.0))
    assert (int(dense) > int(clear) + 20) is brighter
