"""Small images, cards and checkpoints for tests of the model."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from imaging.transform import PREPROCESSING
from model import checkpoint, resnet
from model.card import ARCHITECTURE, Calibration, Card, DomainLimit, OperatingPoint, TrainingData
from model.ood import Domain

LIMIT = DomainLimit(limit=1.0, rule="fixed", images=4, patients=4, refused={"as they are": 0.0})


def make_card(**changes: Any) -> Card:
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


def make_network(seed: int = 0) -> resnet.GrayResNet:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return resnet.build()


def make_domain(components: int = 3) -> Domain:
    """The identity: no standardisation, the first features as components, a contrast that is always 0."""
    return Domain(
        mean=torch.zeros(resnet.POOLED),
        scale=torch.ones(resnet.POOLED),
        basis=torch.eye(resnet.POOLED)[:components],
        variance=torch.tensor([1.0] * components + [2.0]),
        weight=torch.zeros(resnet.POOLED + 1),
        ranges=torch.tensor([[0.0, 1.0], [-1.0, 1.0]]),
    )


def save_model(path: Path, seed: int = 0, **changes: Any) -> str:
    """Write a checkpoint with random weights and return its sha256."""
    return checkpoint.save(path, make_network(seed), make_card(**changes))


def gradient(height: int = 20, width: int = 30) -> NDArray[np.uint8]:
    """Gray (H, W) that rises from 0 at the upper left to 255 at the lower right."""
    ramp = np.add.outer(np.arange(height), np.arange(width)) * 255.0 / (height + width - 2)
    return ramp.round().astype(np.uint8)


def encode(image: Image.Image | NDArray[Any], kind: str = "PNG", **options: Any) -> bytes:
    out = io.BytesIO()
    picture = image if isinstance(image, Image.Image) else Image.fromarray(image)
    picture.save(out, kind, **options)
    return out.getvalue()
