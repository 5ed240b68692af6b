"""Fitting the new head: one linear layer on the features of the frozen backbone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from training.frozen.features import Features
from training.history import Epoch
from training.loss import balanced_loss, class_weights


class HeadConfig(BaseModel):
    """How the new head is fitted on the features of the frozen backbone."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_epochs: Annotated[int, Field(ge=1)] = 100
    patience_epochs: Annotated[int, Field(ge=1)] = 10
    batch_size: Annotated[int, Field(ge=2)] = 512
    learning_rate: Annotated[float, Field(gt=0)] = 1e-2
    weight_decay: Annotated[float, Field(ge=0)] = 1e-3
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1


@dataclass(frozen=True)
class Head:
    """A linear layer: weight float32 (512,), bias; a positive logit speaks for pneumonia."""

    weight: NDArray[np.float32]
    bias: float

    def logits(self, features: Features) -> NDArray[np.float32]:
        """Features (..., 512) -> logits (...)."""
        return np.asarray(features @ self.weight + self.bias, dtype=np.float32)


@dataclass(frozen=True)
class Fold:
    """Features (views, n, 512) and labels (n,) of some images."""

    features: Features
    labels: NDArray[np.int64]


@dataclass(frozen=True)
class Fitted:
    """The head of the best epoch (counted from 1), and the losses of all."""

    head: Head
    best_epoch: int
    history: list[Epoch]


def fit(train: Fold, config: HeadConfig, seed: int, *, validation: Fold | None = None, epochs: int = 0) -> Fitted:
    """Fit a head with Adam, a cosine schedule and the class-balanced loss.

    With validation images training stops early and keeps the best epoch; without, it runs for `epochs`. Each
    epoch sees one random view of each image.
    """
    torch.manual_seed(seed)
    mean, std = _statistics(train.features)
    linear = nn.Linear(train.features.shape[-1], 1)
    model = nn.Sequential(nn.Dropout(config.dropout), linear)
    optimizer = torch.optim.Adam(model.parameters(), config.learning_rate, weight_decay=config.weight_decay)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, config.max_epochs)
    features, labels = (torch.from_numpy(train.features) - mean) / std, torch.from_numpy(train.labels).float()
    best, history = Fitted(_export(linear, mean, std), 0, []), []
    for number in range(1, (config.max_epochs if validation else epochs) + 1):
        train_loss = _epoch(model, optimizer, features, labels, config.batch_size)
        schedule.step()
        head = _export(linear, mean, std)
        loss = balanced_loss(head.logits(validation.features), validation.labels) if validation else float("nan")
        history.append(Epoch(train_loss, loss, learning_rate=float(schedule.get_last_lr()[0])))
        if validation is None or loss < min((epoch.validation_loss for epoch in history[:-1]), default=float("inf")):
            best = Fitted(head, number, history)
        elif number - best.best_epoch >= config.patience_epochs:
            break
    return best


def _epoch(model: nn.Module, optimizer: torch.optim.Optimizer, features: Tensor, labels: Tensor, size: int) -> float:
    model.train()
    weights = class_weights(labels)
    total = 0.0
    for images, views in _batches(features.shape[0], len(labels), size):
        logits = model(features[views, images])[:, 0]
        loss = binary_cross_entropy_with_logits(logits, labels[images], weight=weights[images])
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # untyped in torch
        optimizer.step()
        total += loss.item() * len(images)
    return total / len(labels)


def _batches(views: int, images: int, size: int) -> Iterator[tuple[Tensor, Tensor]]:
    for batch in torch.split(torch.randperm(images), size):
        yield batch, torch.randint(views, (len(batch),))


def _statistics(features: Features) -> tuple[Tensor, Tensor]:
    flat = torch.from_numpy(features).flatten(0, 1)
    return flat.mean(0), flat.std(0).clamp_min(1e-6)


def _export(linear: nn.Linear, mean: Tensor, std: Tensor) -> Head:
    """Fold the standardisation of the features into the weights."""
    weight = linear.weight.detach()[0] / std
    return Head(weight.numpy(), float(linear.bias.detach()[0] - weight @ mean))
