"""Fine-tuning the whole network, in stages of growing resolution; interrupted, it goes on with the epoch it was in."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from model.resnet import FEATURES, GrayResNet
from training.distort import DistortConfig
from training.history import Epoch
from training.loader import Batch, Labelled, batches
from training.progress import Progress, silent
from training.schedule import LAYERS, FinetuneConfig, Stage, layer_rate, rate_factor

PREDICT_BATCH = 32


@dataclass(frozen=True)
class Tuned:
    """The averaged network of the best epoch (counted from 1), and the figures of all."""

    network: GrayResNet
    best_epoch: int
    history: list[Epoch]


class Trainee(nn.Module):
    """The network while it learns, with a second head that tells viral from bacterial pneumonia."""

    def __init__(self, network: GrayResNet) -> None:
        super().__init__()
        self.network = network
        self.cause = nn.Linear(FEATURES, 1)

    def forward(self, gray: Tensor) -> tuple[Tensor, Tensor]:
        """uint8 (N, H, W) -> logits (N,) of pneumonia and of a virus."""
        body = self.network.body
        features = body.relu(body.bn1(body.conv1(self.network.normalise(gray))))
        features = body.layer1(body.maxpool(features))
        features = body.avgpool(body.layer4(body.layer3(body.layer2(features)))).flatten(1)
        return body.fc(features)[:, 0], self.cause(features)[:, 0]


class Run:
    """One network's way through the schedule. `state` names the file in which each finished epoch is kept."""

    def __init__(self, network: GrayResNet, config: FinetuneConfig, distortion: DistortConfig, seed: int) -> None:
        torch.manual_seed(seed)
        self.config, self._distortion, self._seed = config, distortion, seed
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        model: nn.Module = Trainee(network)
        self._trainee = model.to(self.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._average = AveragedModel(
            self._trainee,
            multi_avg_fn=get_ema_multi_avg_fn(config.ema_decay),  # type: ignore[no-untyped-call]  # untyped in torch
            use_buffers=True,
        )
        self._optimizer = torch.optim.AdamW(_groups(self._trainee, config), fused=True)
        self.history: list[Epoch] = []
        self._best: dict[str, Tensor] = {}
        self._best_epoch = 0

    def fit(
        self,
        train: Labelled,
        state: Path,
        *,
        validation: Labelled | None = None,
        epochs: int | None = None,
        progress: Progress = silent,
    ) -> Tuned:
        """Train for `epochs` of the schedule, by default all.

        With validation images training stops when their loss has not fallen for `patience_epochs`, and goes back to
        the best epoch. A run that reaches its end keeps its last weights: by then the learning rate is nothing.
        """
        self._resume(state)
        total = epochs or self.config.epochs
        while len(self.history) < total and not self._stalled():
            self._epoch(train, validation, progress, total)
            _save(state, self._state())
        if self._stalled():
            self._average.load_state_dict(self._best)
        kept = self._best_epoch if self._stalled() else len(self.history)
        return Tuned(self.network, kept, self.history)

    @property
    def network(self) -> GrayResNet:
        """The averaged network, ready for inference, on the CPU."""
        return self._averaged.eval().requires_grad_(False).to("cpu")

    @property
    def _averaged(self) -> GrayResNet:
        trainee = cast(Trainee, self._average.module)
        return trainee.network

    def _stalled(self) -> bool:
        return self._best_epoch > 0 and len(self.history) - self._best_epoch >= self.config.patience_epochs

    def _epoch(self, train: Labelled, validation: Labelled | None, progress: Progress, total: int) -> None:
        number = len(self.history)
        stage = self.config.stage_of(number)
        loss = self._pass(train, number, stage, progress, total)
        figures = float("nan"), float("nan")
        if validation is not None:
            logits = predict(self._averaged, validation.pixels, stage.size_px, self.config.precision)
            figures = balanced_loss(logits, validation.labels), float(roc_auc_score(validation.labels, logits))
        rate = self.config.learning_rate * rate_factor(self.config, number + 1)
        self.history.append(Epoch(loss, *figures, rate, stage.size_px))
        if figures[0] <= min((epoch.validation_loss for epoch in self.history), default=float("inf")):
            self._best_epoch = number + 1
            self._best = {name: tensor.clone() for name, tensor in self._average.state_dict().items()}

    def _pass(self, train: Labelled, number: int, stage: Stage, progress: Progress, total: int) -> float:
        _unfreeze(self._trainee, stage.train_from)
        self._trainee.train()
        loader = batches(
            train, self._distortion, size=self.config.batch_size, seed=self._seed, epoch=number,
            workers=self.config.workers,
        )  # fmt: skip
        losses: list[float] = []
        for step, item in enumerate(loader):
            factor = rate_factor(self.config, number + step / len(loader))
            for group in self._optimizer.param_groups:
                group["lr"] = group["rate"] * factor
            losses.append(self._step(Batch(*item), stage.size_px))
            progress(number * len(loader) + step + 1, total * len(loader))
        return float(np.mean(losses))

    def _step(self, batch: Batch, size_px: int) -> float:
        labels, causes = batch.labels.to(self.device), batch.causes.to(self.device)
        with _precision(self.device, self.config.precision):
            logits, cause = self._trainee(resize(batch.pixels.to(self.device), size_px))
        smooth = labels * (1 - self.config.label_smoothing) + 0.5 * self.config.label_smoothing
        loss = binary_cross_entropy_with_logits(logits.float(), smooth)
        known = causes >= 0
        if bool(known.any()):
            of_cause = binary_cross_entropy_with_logits(cause.float()[known], causes[known])
            loss = loss + self.config.cause_weight * of_cause
        self._optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # untyped in torch
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

    def _resume(self, state: Path) -> None:
        if not state.exists():
            return
        saved = torch.load(state, map_location=self.device, weights_only=True)
        self._trainee.load_state_dict(saved["trainee"])
        self._average.load_state_dict(saved["average"])
        self._optimizer.load_state_dict(saved["optimizer"])
        self._best, self._best_epoch = saved["best"], saved["best_epoch"]
        self.history = [Epoch(**epoch) for epoch in saved["history"]]


def resize(pixels: Tensor, size_px: int) -> Tensor:
    """uint8 (N, H, W) -> (N, size, size), antialiased; nothing happens where it has that size already."""
    if pixels.shape[-1] == size_px:
        return pixels
    return functional.interpolate(pixels.unsqueeze(1), [size_px, size_px], mode="bilinear", antialias=True).squeeze(1)


def predict(
    network: GrayResNet, pixels: NDArray[np.uint8], size_px: int, precision: str, progress: Progress = silent
) -> NDArray[np.float32]:
    """Raw logits float32 (N,) of uint8 (N, 224, 224), looked at in one resolution."""
    device = next(network.parameters()).device
    network.eval()
    parts = []
    with torch.inference_mode(), _precision(device, precision):
        for start in range(0, len(pixels), PREDICT_BATCH):
            batch = torch.from_numpy(pixels[start : start + PREDICT_BATCH]).to(device)
            parts.append(network(resize(batch, size_px)).float().cpu())
            progress(min(start + PREDICT_BATCH, len(pixels)), len(pixels))
    return np.asarray(torch.cat(parts).numpy(), dtype=np.float32)


def balanced_loss(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """Mean cross-entropy, both classes weighing the same."""
    truth = torch.from_numpy(labels).float()
    weight = torch.where(truth > 0, 0.5 / truth.mean(), 0.5 / (1 - truth.mean()))
    return float(binary_cross_entropy_with_logits(torch.from_numpy(logits), truth, weight=weight))


def _precision(device: torch.device, precision: str) -> torch.autocast:
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16")


def layer_of(parameter: str) -> str:
    """The layer that a parameter of a `Trainee` belongs to, by its name."""
    name = parameter.removeprefix("network.body.").split(".")[0]
    return {"bn1": "conv1", "cause": "fc"}.get(name, name)


def _groups(trainee: nn.Module, config: FinetuneConfig) -> list[dict[str, Any]]:
    """Parameters by layer; vectors, which are biases and batch normalisation, do not decay."""
    groups: list[dict[str, Any]] = []
    for layer in LAYERS:
        members = [value for name, value in trainee.named_parameters() if layer_of(name) == layer]
        rate = layer_rate(config, layer)
        for decay, chosen in ((config.weight_decay, True), (0.0, False)):
            parameters = [value for value in members if (value.ndim > 1) == chosen]
            groups.append({"params": parameters, "lr": rate, "rate": rate, "weight_decay": decay})
    return groups


def _unfreeze(trainee: nn.Module, first: str) -> None:
    learning = LAYERS[LAYERS.index(first) :]
    for name, parameter in trainee.named_parameters():
        parameter.requires_grad_(layer_of(name) in learning)


def _save(file: Path, state: dict[str, Any]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_suffix(".partial")
    torch.save(state, partial)
    partial.replace(file)
