"""Spread over seeds."""

from __future__ import annotations

import numpy as np
import pytest

from training.evaluate import seeds


def test_spread_is_that_of_each_seed_alone() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 200).astype(np.int64)
    good = (labels * 4 - 2 + rng.normal(0, 1, 400)).astype(np.float32)
    poor = (labels * 4 - 2 + rng.normal(0, 4, 400)).astype(np.float32)
    found = seeds.spread(np.stack([good, poor, 10 * good]), labels)
    assert set(found) == set(seeds.FIGURES)
    each = found["auc"]["each"]
    assert each[0] == pytest.approx(each[2])
    assert each[0] > each[1]
    assert found["auc"]["mean"] == pytest.approx(np.mean(each))
    assert found["auc"]["sd"] == pytest.approx(np.std(each, ddof=1))
    assert found["calibration_error"]["each"][0] == pytest.approx(found["calibration_error"]["each"][2], abs=1e-3)
