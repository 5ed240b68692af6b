"""The baseline of the forward pass: the shipped weights in eager torch, channels_last, with nothing else done to it."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.rows import Row
from model import checkpoint
from model.decision import Prediction
from model.loaded import LoadedModel
from model.output import NetworkOutput
from model.registry import DEFAULT
from model.resnet import GrayResNet

BATCH = 16


class Eager:
    """An `Engine` (model/engines/)."""

    name = "eager"
    batch_size = BATCH

    def __init__(self, network: GrayResNet) -> None:
        self._network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # not in the stubs

    def forward(self, pixels: NDArray[np.uint8]) -> NetworkOutput[NDArray[np.float32]]:
        with torch.inference_mode():
            return NetworkOutput(*(tensor.numpy() for tensor in self._network(torch.from_numpy(pixels))))


def load() -> LoadedModel:
    """The shipped model on this engine."""
    shipped = checkpoint.load(DEFAULT)
    return LoadedModel.of(shipped, Eager(shipped.network))


def predict_all(model: LoadedModel, images: NDArray[np.uint8]) -> list[Prediction]:
    """What `model` says of uint8 (N, 224, 224), in batches of 16."""
    batches = (images[start : start + BATCH] for start in range(0, len(images), BATCH))
    return [prediction for batch in batches for prediction in model.predict(batch)]


def add_agreement(row: Row, model: LoadedModel, ours: Iterable[Prediction], theirs: Iterable[Prediction]) -> None:
    """How many images `model` decides otherwise by the one prediction than by the other, and how far they are apart."""
    pairs = list(zip(ours, theirs, strict=True))
    row.add("probability_apart_max", max(abs(a.probability - b.probability) for a, b in pairs))
    row.add("decisions_changed", sum(model.decide(a).decision != model.decide(b).decision for a, b in pairs))
