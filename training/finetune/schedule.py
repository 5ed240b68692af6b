"""Stages of fine-tuning, and the learning rate of each layer at each moment."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

LAYERS = ("conv1", "layer1", "layer2", "layer3", "layer4", "fc")
"""From the image to the logit; bn1 counts to conv1."""

Layer = Literal["conv1", "layer1", "layer2", "layer3", "layer4", "fc"]


class Stage(BaseModel):
    """Some epochs at one resolution, in which `train_from` and what comes after it learns."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    epochs: Annotated[int, Field(ge=1)]
    size_px: Annotated[int, Field(ge=32, le=224)]
    train_from: Layer


class Polish(Stage):
    """A second, shorter cycle that starts from the mean weights of the first, over all seeds."""

    rate: Annotated[float, Field(gt=0, description="Its learning rates, as a share of the first cycle's.")] = 0.5


class FinetuneConfig(BaseModel):
    """How the whole network is fitted."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    stages: tuple[Stage, ...] = (
        Stage(epochs=1, size_px=128, train_from="fc"),
        Stage(epochs=4, size_px=128, train_from="conv1"),
        Stage(epochs=1, size_px=192, train_from="layer3"),
    )
    polish: Polish | None = None
    equalised: Annotated[bool, Field(description="Whether gray becomes its rank first (model/tones.py).")] = False
    lungs_weight: Annotated[
        float, Field(ge=0, description="Of the share of positive evidence outside the lungs (pointing.py).")
    ] = 0.0
    patience_epochs: Annotated[int, Field(ge=1)] = 4
    batch_size: Annotated[int, Field(ge=2)] = 32
    learning_rate: Annotated[float, Field(gt=0, description="Of layer4; the head's is `head_rate` times it.")] = 3e-4
    head_rate: Annotated[float, Field(gt=0)] = 5.0
    layer_decay: Annotated[float, Field(gt=0, le=1, description="From a layer's rate to that of the one below.")] = 0.7
    warm_up_epochs: Annotated[float, Field(ge=0)] = 0.5
    weight_decay: Annotated[float, Field(ge=0)] = 0.02
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.05
    cause_weight: Annotated[float, Field(ge=0, description="Of the loss of the bacteria or virus target.")] = 0.2
    ema_decay: Annotated[float, Field(ge=0, lt=1, description="Of the averaged weights, for each step.")] = 0.99
    precision: Literal["bfloat16", "float32"] = "bfloat16"
    workers: Annotated[int, Field(ge=0, description="Processes that distort; 0 does it in between.")] = 1
    seeds: Annotated[int, Field(ge=1, description="Networks whose weights are averaged to one.")] = 1
    oof_groups: Annotated[int, Field(ge=2, le=8, description="Networks for out-of-fold predictions.")] = 3
    oof_seeds: Annotated[int | None, Field(ge=1, description="`seeds` of each of these; as many if None.")] = None

    @model_validator(mode="after")
    def _has_stages(self) -> FinetuneConfig:
        if not self.stages:
            raise ValueError("needs at least one stage")
        return self

    @property
    def epochs(self) -> int:
        """Of all stages."""
        return sum(stage.epochs for stage in self.stages)

    def second_cycle(self, polish: Polish) -> FinetuneConfig:
        """The configuration of the second cycle, which has no second target."""
        stage = Stage(epochs=polish.epochs, size_px=polish.size_px, train_from=polish.train_from)
        rate = self.learning_rate * polish.rate
        changes = {"stages": (stage,), "polish": None, "learning_rate": rate, "cause_weight": 0.0}
        return self.model_copy(update=changes)

    def stage_of(self, epoch: int) -> Stage:
        """The stage of an epoch, counted from 0 through all stages."""
        for stage in self.stages:
            if epoch < stage.epochs:
                return stage
            epoch -= stage.epochs
        raise IndexError("the schedule has ended")


def layer_rate(config: FinetuneConfig, layer: str) -> float:
    """The greatest learning rate of a layer: the lower it lies, the less it moves."""
    if layer == "fc":
        return config.learning_rate * config.head_rate
    below = LAYERS.index("layer4") - LAYERS.index(layer)
    return config.learning_rate * config.layer_decay**below


def rate_factor(config: FinetuneConfig, epoch: float) -> float:
    """Return the factor of all learning rates at a moment, in epochs from the start.

    While the head alone learns it is 1. From the first stage that trains more, it rises in a line for
    `warm_up_epochs` and then falls along a cosine to zero at the end of the schedule.
    """
    head_only = 0
    for stage in config.stages:
        if stage.train_from != "fc":
            break
        head_only += stage.epochs
    if epoch < head_only:
        return 1.0
    if epoch < head_only + config.warm_up_epochs:
        return (epoch - head_only) / config.warm_up_epochs
    start = head_only + config.warm_up_epochs
    share = (epoch - start) / max(config.epochs - start, 1e-9)
    return 0.5 * (1 + math.cos(math.pi * min(share, 1.0)))
