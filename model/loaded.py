"""A model that is ready to predict: its card, and the engine that runs its network."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from core.engines import EngineName
from core.populations import Known
from imaging.transform import INPUT_PX
from model import engines
from model.card import Card, GateLimits
from model.decision import Decided, Prediction, Predictions, decide
from model.engines import Engine
from model.gate import Gate
from model.ood import OodStatistics
from model.population import PopulationHead, judge
from model.registry import Entry

if TYPE_CHECKING:
    from model.checkpoint import Checkpoint

HALF_MAX = np.finfo(np.float16).max

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """One checkpoint on one engine.

    `ood` is None in a model that cannot tell how unlike its training images one is, `gate` in one that cannot tell
    what it shows, `population` in one that judges all images alike.
    """

    card: Card
    sha256: str
    engine: Engine
    ood: OodStatistics | None = None
    gate: Gate | None = None
    population: PopulationHead | None = None

    @classmethod
    def of(cls, checkpoint: Checkpoint, engine: Engine) -> LoadedModel:
        """`engine` must run the network of `checkpoint`."""
        return cls(checkpoint.card, checkpoint.sha256, engine, checkpoint.ood, checkpoint.gate, checkpoint.population)

    @property
    def name(self) -> str:
        return self.card.name

    @property
    def threshold(self) -> float:
        """At or above it an image is called pneumonia, where the model has no other one for its population."""
        return self.card.operating_point.threshold

    @property
    def ood_limit(self) -> float | None:
        """Above it the model refuses to judge an image; None for a model that refuses nothing."""
        return None if self.card.ood is None else self.card.ood.limit

    @property
    def gate_limits(self) -> GateLimits | None:
        """What is refused and told by the gate; None for a model without one."""
        return self.card.gate

    def predict(self, pixels: NDArray[np.uint8], known: Sequence[Known | None] | None = None) -> Predictions:
        """uint8 (N, 224, 224) -> what the model says of each, in one forward pass.

        `known` has the population of each image as far as it is known beforehand; the network tells the others. A
        model that judges all images alike makes no use of it.

        Raises:
            OutOfMemory: the batch is too large for this device; a smaller one may pass.
            DeviceLost: only a new process can go on.
        """
        if pixels.dtype != np.uint8 or pixels.shape[1:] != (INPUT_PX, INPUT_PX):
            raise ValueError(f"expected uint8 (N, {INPUT_PX}, {INPUT_PX}), got {pixels.dtype} {pixels.shape}")
        output = self.engine.forward(pixels)
        judged_as = None
        # A network that overflowed gives numbers that are none; who uses them checks them (worker/predict.py).
        with np.errstate(invalid="ignore", over="ignore"):
            if self.population is not None and self.card.populations is not None:
                output, judged_as = judge(output, self.population, self.card.populations, known or [None] * len(pixels))
            probability = np.exp(-np.logaddexp(np.float32(0), -output.logits))  # the sigmoid, for any logit
            score = np.full_like(output.logits, np.nan) if self.ood is None else self.ood.score(output.features)
            kinds = None if self.gate is None else self.gate.kinds(output.features)
            ap = None if self.gate is None else self.gate.ap(output.features)
        cam = output.cam.clip(-HALF_MAX, HALF_MAX).astype(np.float16)
        return Predictions(probability, score, cam, kinds, ap, judged_as)

    def decide(self, prediction: Prediction) -> Decided:
        """`refused` above the ood limit or by the gate; else `pneumonia` at or above the threshold, else `normal`."""
        return decide(prediction, self.threshold_for(prediction), self.ood_limit, self.gate_limits)

    def threshold_for(self, prediction: Prediction) -> float:
        """The operating point that applies to an image: that of its population, where the model has one."""
        return self.threshold if prediction.judged_as is None else prediction.judged_as.threshold


def load(source: Entry | Checkpoint | Path, engine: EngineName = "auto") -> LoadedModel:
    """Load a model: `auto` takes CUDA where there is a device, else the fastest of the CPU that the model's card
    allows (model/engines/choice.py), and logs which and why. An Entry's hash is verified again.

    Raises:
        ModelInvalid: the file is missing, damaged, or not the one its entry names.
        ConfigurationError: the engine cannot run here, cannot run this model, or finds no memory for it.
    """
    checkpoint = _read(source)
    choice = engines.choose(engine, checkpoint.card)
    log.info("the engine is %s: %s", choice.engine, choice.reason)
    return LoadedModel.of(checkpoint, engines.make(choice.engine, checkpoint))


def _read(source: Entry | Checkpoint | Path) -> Checkpoint:
    from model import checkpoint

    if isinstance(source, Entry):
        return checkpoint.load(source.path, source.sha256)
    if isinstance(source, Path):
        return checkpoint.load(source)
    return source
