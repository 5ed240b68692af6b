"""Cards for models that tests make up."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from imaging.transform import PREPROCESSING
from model.card import (
    ARCHITECTURE,
    Calibration,
    Card,
    GateLimits,
    OodLimit,
    OperatingPoint,
    PopulationFigures,
    PopulationGain,
    PopulationPoint,
    Populations,
    TrainingData,
)

LIMIT = OodLimit(limit=1.0, rule="fixed", images=4, patients=4, refused={"as they are": 0.0})
GATE = GateLimits(
    limit=0.5, ap=0.9, pa=0.1, rule="fixed", images=4, not_frontal=4, refused={"lateral": 1.0}, views={"ap told": 0.5}
)


def make_point(**changes: Any) -> PopulationPoint:
    """That of a population which is judged as all images are, with some of its fields replaced."""
    figures = PopulationFigures(sensitivity=0.9, specificity=0.8, auc=0.95, calibration_error=0.02)
    point = PopulationPoint(
        slope=1,
        intercept=0,
        threshold=0.5,
        own=True,
        images=400,
        patients=300,
        pneumonia=200,
        measured=PopulationGain(
            figures=figures,
            common=figures.model_copy(update={"specificity": 0.7}),
            gain=0.05,
            interval=(0.01, 0.09),
        ),
    )
    return point.model_copy(update=changes)


POPULATIONS = Populations(
    child=make_point(threshold=0.4),
    adult=make_point(slope=2, intercept=-1, threshold=0.6),
    rule="fixed",
    told={"child": 0.99, "adult": 0.98},
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
