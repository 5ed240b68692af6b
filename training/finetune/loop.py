"""Fine-tuning the whole network, in stages of growing resolution; interrupted, it goes on with the epoch it was in."""

from __future__ import annotations

import copy
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from lightning_fabric import Fabric
from sklearn.metrics import roc_auc_score
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from core.atomic import replacement
from core.errors import ConfigurationError
from model.resnet import GrayResNet
from training.augment.distort import DistortConfig
from training.augment.loader import Batch, LabelledImages, Share, batches
from training.finetune import devices
from training.finetune.pointing import Pointing
from training.finetune.predict import predict, resize
from training.finetune.schedule import FinetuneConfig, Stage, rate_factor
from training.finetune.trainee import Trainee, groups, unfreeze
from training.history import Epoch
from training.loss import balanced_loss
from training.lungs.network import LungNetwork
from training.progress import Progress, silent


@dataclass(frozen=True)
class FineTuned:
    """The averaged network of the best epoch (counted from 1), and the figures of all."""

    network: GrayResNet
    best_epoch: int
    history: list[Epoch]


class Run:
    """The training of one network through the schedule; it works on a copy of the network that it is given.

    Where `fabric` has several processes, each makes a `Run` and calls `fit`: all take the same steps, each with its own
    share of every batch.
    """

    def __init__(
        self,
        network: GrayResNet,
        config: FinetuneConfig,
        distortion: DistortConfig,
        seed: int,
        fabric: Fabric | None = None,
        lungs: LungNetwork | None = None,
    ) -> None:
        torch.manual_seed(seed)
        self.config, self._distortion, self._seed = config, distortion, seed
        self._fabric = fabric or devices.fabric(config.precision, 1)
        self._pointing = None if lungs is None else Pointing(lungs).to(self._fabric.device)
        self._share = Share(self._fabric.global_rank, self._fabric.world_size)
        self._trainee = devices.place(self._fabric, Trainee(copy.deepcopy(network)))
        self._average = AveragedModel(
            self._trainee,
            multi_avg_fn=get_ema_multi_avg_fn(config.ema_decay),  # type: ignore[no-untyped-call]  # untyped in torch
            use_buffers=True,
        )
        self._optimizer = torch.optim.AdamW(groups(self._trainee, config), fused=True)
        self.history: list[Epoch] = []
        self._best: dict[str, Tensor] = {}
        self._best_epoch = 0

    def fit(
        self,
        train: LabelledImages,
        state: Path,
        *,
        validation: LabelledImages | None = None,
        epochs: int | None = None,
        progress: Progress = silent,
    ) -> FineTuned:
        """Train for `epochs` of the schedule, by default all; the file `state` keeps each one that is finished.

        With validation images training stops when their loss has not fallen for `patience_epochs`, and goes back to
        the best epoch. A run that reaches its end keeps its last weights: by then the learning rate is zero.
        """
        self._resume(state)
        total = epochs or self.config.epochs
        while len(self.history) < total and not self._stalled():
            self._epoch(train, validation, progress, total)
            self._save(state)
        if self._stalled():
            self._average.load_state_dict(self._best)
        kept = self._best_epoch if self._stalled() else len(self.history)
        return FineTuned(self.network, kept, self.history)

    @property
    def network(self) -> GrayResNet:
        """A copy of the averaged network, ready for inference, on the CPU."""
        return copy.deepcopy(self._averaged).eval().requires_grad_(False).to("cpu")

    @property
    def _averaged(self) -> GrayResNet:
        trainee = cast(Trainee, self._average.module)
        return trainee.network

    def _stalled(self) -> bool:
        return self._best_epoch > 0 and len(self.history) - self._best_epoch >= self.config.patience_epochs

    def _epoch(self, train: LabelledImages, validation: LabelledImages | None, progress: Progress, total: int) -> None:
        number = len(self.history)
        stage = self.config.stage_of(number)
        loss = self._pass(train, number, stage, progress, total)
        figures = self._measure(validation, stage)
        rate = self.config.learning_rate * rate_factor(self.config, number + 1)
        self.history.append(Epoch(loss, *figures, rate, stage.size_px))
        if figures[0] <= min((epoch.validation_loss for epoch in self.history), default=float("inf")):
            self._best_epoch = number + 1
            self._best = {name: tensor.clone() for name, tensor in self._average.state_dict().items()}

    def _measure(self, validation: LabelledImages | None, stage: Stage) -> tuple[float, float]:
        """Balanced loss and area under the curve of the averaged network; one process computes them for all."""
        figures = float("nan"), float("nan")
        if validation is not None and self._fabric.is_global_zero:
            logits = predict(self._averaged, validation.pixels, stage.size_px, self.config.precision)
            figures = balanced_loss(logits, validation.labels), float(roc_auc_score(validation.labels, logits))
        return self._fabric.broadcast(figures)

    def _pass(self, train: LabelledImages, number: int, stage: Stage, progress: Progress, total: int) -> float:
        unfreeze(self._trainee, stage.train_from)
        # Wrapped for each pass: processes exchange the gradients of what learned at the moment of wrapping.
        model = self._fabric.setup_module(self._trainee).train()
        loader = batches(
            train, self._distortion, size=self.config.batch_size, seed=self._seed, epoch=number,
            workers=self.config.workers, share=self._share,
        )  # fmt: skip
        if not len(loader):
            raise ConfigurationError(f"Too few images for batches of {self.config.batch_size}: lower batch_size.")
        losses: list[float] = []
        for step, item in enumerate(loader):
            factor = rate_factor(self.config, number + step / len(loader))
            for group in self._optimizer.param_groups:
                group["lr"] = group["rate"] * factor
            losses.append(self._step(model, Batch(*item), stage.size_px))
            progress(number * len(loader) + step + 1, total * len(loader))
        mean = self._fabric.all_reduce(torch.tensor(np.mean(losses), device=self._fabric.device))
        return float(cast(Tensor, mean))

    def _step(self, model: torch.nn.Module, batch: Batch, size_px: int) -> float:
        # Resized before it moves, because torch resizes bytes on the CPU alone.
        pixels, labels, causes = self._fabric.to_device((resize(batch.pixels, size_px), batch.labels, batch.causes))
        logits, cause, cam = model(pixels)
        smooth = labels * (1 - self.config.label_smoothing) + 0.5 * self.config.label_smoothing
        loss = binary_cross_entropy_with_logits(logits, smooth)
        known = causes >= 0
        if bool(known.any()):
            of_cause = binary_cross_entropy_with_logits(cause[known], causes[known])
        else:
            of_cause = 0 * cause.sum()  # a gradient all the same, for which other processes wait
        loss = loss + self.config.cause_weight * of_cause
        if self._pointing is not None:
            loss = loss + self.config.lungs_weight * self._pointing(batch.pixels, cam.float())
        self._optimizer.zero_grad()
        self._fabric.backward(loss)
        self._optimizer.step()
        self._average.update_parameters(self._trainee)
        return float(loss.item())

    def _state(self) -> dict[str, Any]:
        return {
            "trainee": self._trainee.state_dict(),
            "average": self._average.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "best": self._best,
            "best_epoch": self._best_epoch,
            "history": [asdict(epoch) for epoch in self.history],
        }

    def _save(self, state: Path) -> None:
        """One process writes, the others wait."""
        if self._fabric.is_global_zero:
            state.parent.mkdir(parents=True, exist_ok=True)
            with replacement(state) as draft:
                torch.save(self._state(), draft)
        self._fabric.barrier()

    def _resume(self, state: Path) -> None:
        if not state.exists():
            return
        saved = torch.load(state, map_location=self._fabric.device, weights_only=True)
        self._trainee.load_state_dict(saved["trainee"])
        self._average.load_state_dict(saved["average"])
        self._optimizer.load_state_dict(saved["optimizer"])
        self._best, self._best_epoch = saved["best"], saved["best_epoch"]
        self.history = [Epoch(**epoch) for epoch in saved["history"]]
