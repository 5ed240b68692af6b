"""Decisions: refused before anything else, never for want of statistics."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from core.kinds import ImageKind
from model.decision import LOOKS_LIKE, NOT_FRONTAL_REASON, Prediction, Predictions, decide
from model.gate import FRONTAL, KINDS
from tests.testing.cards import GATE

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


def shown(**probabilities: float) -> NDArray[np.float32]:
    """Kinds with these probabilities; what is missing to 1 is frontal."""
    kinds = np.zeros(len(KINDS), np.float32)
    for name, probability in probabilities.items():
        kinds[KINDS.index(ImageKind(name))] = probability
    kinds[FRONTAL] += 1 - kinds.sum()
    return kinds


@pytest.mark.parametrize("kind", LOOKS_LIKE)
def test_what_is_not_frontal_is_refused_and_named(kind: ImageKind) -> None:
    decided = decide(Prediction(0.9, 0.2, CAM, shown(**{kind: 0.8}), 0.99), 0.5, 1.0, GATE)
    assert (decided.decision, decided.kind) == ("refused", kind)
    assert f"It looks like {LOOKS_LIKE[kind]}." in str(decided.reason)
    assert len(str(decided.reason)) <= 300
    assert decided.view == ("lateral" if kind == "lateral" else None)


@pytest.mark.parametrize("kinds", [shown(other=0.9), shown(lateral=0.3, part=0.3, other=0.3)])
def test_what_is_of_no_one_kind_is_refused_and_not_named(kinds: NDArray[np.float32]) -> None:
    decided = decide(Prediction(0.9, 0.2, CAM, kinds, 0.5), 0.5, 1.0, GATE)
    assert (decided.decision, decided.reason, decided.kind) == ("refused", NOT_FRONTAL_REASON, ImageKind.OTHER)


def test_at_the_limit_of_the_gate_it_is_still_judged() -> None:
    decided = decide(Prediction(0.9, 0.2, CAM, shown(lateral=0.5), 0.5), 0.5, 1.0, GATE)
    assert (decided.decision, decided.kind) == ("pneumonia", ImageKind.FRONTAL)


@pytest.mark.parametrize(("ap", "view"), [(0.9, "ap"), (0.89, None), (0.5, None), (0.11, None), (0.1, "pa")])
def test_the_view_of_a_frontal_image_is_told_where_it_is_sure(ap: float, view: str | None) -> None:
    assert decide(Prediction(0.1, 0.2, CAM, shown(), ap), 0.5, 1.0, GATE).view == view


def test_a_frontal_image_above_the_ood_limit_is_refused_by_that() -> None:
    decided = decide(Prediction(0.1, 1.5, CAM, shown(), 0.99), 0.5, 1.0, GATE)
    assert (decided.decision, decided.kind, decided.view) == ("refused", ImageKind.FRONTAL, None)
    assert "score is 1.50" in str(decided.reason)


def test_the_gate_works_without_ood_statistics() -> None:
    assert decide(Prediction(0.1, None, CAM, shown(negative=0.9), 0.5), 0.5, None, GATE).decision == "refused"


def test_a_batch_with_a_gate_falls_apart_into_images() -> None:
    kinds, ap = np.stack([shown(), shown(part=1)]), np.array([0.25, 0.75], np.float32)
    number = np.zeros(2, np.float32)
    first, second = Predictions(number, number, np.zeros((2, 7, 7), np.float16), kinds, ap)
    assert (first.ap, second.ap) == (0.25, 0.75)
    assert second.kinds is not None
    assert np.array_equal(second.kinds, kinds[1])
