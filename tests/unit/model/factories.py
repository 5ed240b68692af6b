"""Small images and checkpoints for tests of the model."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from model import checkpoint, resnet
from model.gate import KINDS, Gate
from model.ood import OodStatistics
from tests.testing.cards import GATE, LIMIT, make_card

__all__ = ["GATE", "LIMIT", "encode", "gradient", "make_card", "make_gate", "make_network", "make_ood", "save_model"]


def make_network(seed: int = 0) -> resnet.GrayResNet:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return resnet.build()


def make_ood(components: int = 3) -> OodStatistics:
    """The identity: no standardisation, the first features as components, a contrast that is always 0."""
    return OodStatistics(
        mean=np.zeros(resnet.POOLED, np.float32),
        scale=np.ones(resnet.POOLED, np.float32),
        basis=np.eye(components, resnet.POOLED, dtype=np.float32),
        variance=np.array([1.0] * components + [2.0], np.float32),
        weight=np.zeros(resnet.POOLED + 1, np.float32),
        ranges=np.array([[0.0, 1.0], [-1.0, 1.0]], np.float32),
    )


def make_gate() -> Gate:
    """The identity: no standardisation, the first features (if positive) as logits of the kinds, the next as AP's."""
    view = np.zeros(resnet.POOLED + 1, np.float32)
    view[len(KINDS)] = 1
    return Gate(
        mean=np.zeros(resnet.POOLED, np.float32),
        scale=np.ones(resnet.POOLED, np.float32),
        hidden=np.eye(len(KINDS), resnet.POOLED + 1, dtype=np.float32),
        weight=np.eye(len(KINDS), len(KINDS) + 1, dtype=np.float32),
        view=view,
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
