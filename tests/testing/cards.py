"""Cards for models that tests make up."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from imaging.transform import PREPROCESSING
from model.card import ARCHITECTURE, Calibration, Card, GateLimits, OodLimit, OperatingPoint, TrainingData

LIMIT = OodLimit(limit=1.0, rule="fixed", images=4, patients=4, refused={"as they are": 0.0})
GATE = GateLimits(
    limit=0.5, ap=0.9, pa=0.1, rule="fixed", images=4, not_frontal=4, refused={"lateral": 1.0}, views={"ap told": 0.5}
)


def make_card(**changes: Any) -> Card:
    """The card of a model of random weights that refuses nothing, with some of its fields replaced."""
    card = Card(
        name="test-model",
        architecture=ARCHITECTURE,
        created_at=datetime(2026, 1, 2, tzinfo=UTC),
        code_version="0",
        preprocessing=PREPROCESSING,
        operating_point=OperatingPoint(threshold=0.5, rule="fixed"),
        calibration=Calibration(slope=1, intercept=0, prior=0.5),
        training_data=TrainingData(
            source="synthetic", licence="none", images=4, patients=4, pneumonia=2, duplicates_left_out=0, digest="0"
        ),
        backbone="random",
        split={"train": 4},
        config={"seed": 0},
        metrics={},
        intended_use="tests",
        limits=("knows nothing",),
    )
    return card.model_copy(update=changes)
