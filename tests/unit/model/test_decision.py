"""Decisions: refused before anything else, never for want of statistics."""

from __future__ import annotations

import numpy as np
import pytest

from model.decision import Prediction, Predictions, decide

CAM = np.zeros((7, 7), np.float16)


@pytest.mark.parametrize(("probability", "decision"), [(0.5, "pneumonia"), (0.499, "normal"), (1.0, "pneumonia")])
def test_decision(probability: float, decision: str) -> None:
    decided = decide(Prediction(probability, 0.2, CAM), 0.5, 1.0)
    assert (decided.decision, decided.reason) == (decision, None)


@pytest.mark.parametrize("probability", [0.0, 0.5, 1.0])
def test_above_the_limit_nothing_is_judged(probability: float) -> None:
    decided = decide(Prediction(probability, 1.01, CAM), 0.5, 1.0)
    assert decided.decision == "refused"
    assert decided.reason is not None
    assert "score is 1.01, the limit 1.00" in decided.reason
    assert len(decided.reason) <= 300


def test_at_the_limit_it_is_still_judged() -> None:
    assert decide(Prediction(0.9, 1.0, CAM), 0.5, 1.0).decision == "pneumonia"


@pytest.mark.parametrize(("score", "limit"), [(None, None), (99.0, None), (None, 1.0)])
def test_without_statistics_nothing_is_refused(score: float | None, limit: float | None) -> None:
    assert decide(Prediction(0.1, score, CAM), 0.5, limit).decision == "normal"


def test_a_batch_falls_apart_into_images() -> None:
    cam = np.arange(98, dtype=np.float16).reshape(2, 7, 7)
    first, second = Predictions(np.array([0.25, 0.75], np.float32), np.array([0.5, np.nan], np.float32), cam)
    assert (first.probability, first.ood_score) == (0.25, 0.5)
    assert (second.probability, second.ood_score) == (0.75, None)
    assert np.array_equal(second.cam, cam[1])
