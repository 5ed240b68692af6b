"""The class-balanced loss, by hand and against figures of earlier releases."""

from __future__ import annotations

import math

import numpy as np
import pytest

from training.loss import balanced_loss


@pytest.mark.parametrize("views", [(), (1,), (3,)])
def test_balanced_loss_by_hand(views: tuple[int, ...]) -> None:
    always = np.full((*views, 4), math.log(3), np.float32)
    expected = (-math.log(0.75) - math.log(0.25)) / 2
    assert balanced_loss(always, np.array([1, 0, 0, 0])) == pytest.approx(expected)


@pytest.mark.parametrize(("rows", "expected"), [(0, 0.43313857913017273), (slice(None), 0.4266422390937805)])
def test_balanced_loss_is_that_of_earlier_releases(rows: int | slice, expected: float) -> None:
    """Fine-tuning had a loss of one view, the head on frozen features one of several; these are their values."""
    labels = (np.arange(120) % 3 == 0).astype(np.int64)
    logits = np.random.default_rng(7).normal(size=(2, 120)) + 2 * labels - 1
    assert balanced_loss(logits.astype(np.float32)[rows], labels) == pytest.approx(expected, rel=1e-6)
