"""Images in batches, in their order, and the progress between them."""

from __future__ import annotations

import numpy as np
import pytest

from training.batches import in_batches


@pytest.mark.parametrize(("count", "sizes"), [(0, []), (3, [3]), (8, [4, 4]), (9, [4, 4, 1])])
def test_every_image_once_and_in_order(count: int, sizes: list[int]) -> None:
    pixels = np.arange(count, dtype=np.uint8)[:, None, None]
    batches = list(in_batches(pixels, size=4))
    assert [len(batch) for batch in batches] == sizes
    assert [int(image[0, 0]) for batch in batches for image in batch] == list(range(count))


def test_progress_counts_batches_that_were_worked_on() -> None:
    told: list[tuple[int, int]] = []
    batches = in_batches(np.zeros((5, 1, 1), np.uint8), lambda done, total: told.append((done, total)), 2)
    next(batches)
    assert told == []
    next(batches)
    assert told == [(2, 5)]
    assert len(list(batches)) == 1
    assert told == [(2, 5), (4, 5), (5, 5)]
