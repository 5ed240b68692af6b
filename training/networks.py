"""Fine-tuned networks: one with early stopping, those for out-of-fold predictions, and the one that is kept."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from model import resnet
from model.preprocess import SIZE
from model.resnet import GrayResNet
from training import parallel, split
from training.distort import DistortConfig, degrade
from training.finetune import Tuned, predict
from training.history import Epoch
from training.loader import Labelled
from training.progress import StageProgress, stage
from training.schedule import FinetuneConfig


@dataclass(frozen=True)
class Networks:
    """The network of all known images, and raw logits (2, n) of those images, from networks that saw none of the same
    patient: of the images as they are, and of coarse copies. `history` is that of the run with early stopping.
    """

    final: GrayResNet
    out_of_fold: NDArray[np.float32]
    history: list[Epoch]
    best_epoch: int


def cache_key(
    backbone_sha256: str, data_digest: str, finetune: FinetuneConfig, distort: DistortConfig, seed: int
) -> str:
    """What the networks depend on, as 16 hex digits; the number of background processes changes nothing."""
    settings = finetune.model_dump_json(exclude={"workers"})
    parts = [backbone_sha256, data_digest, settings, distort.model_dump_json(), str(seed)]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def groups(folds: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """The out-of-fold group (n,) of each image by its fold: 0 for the validation part, 1 and more share the training
    part's folds, -1 for the test part.
    """
    parts = split.parts(folds)
    learning = np.unique(folds[parts == "train"])
    result = np.full(len(folds), -1, dtype=np.int64)
    result[parts == "validation"] = 0
    for group, members in enumerate(np.array_split(learning, count - 1), 1):
        result[np.isin(folds, members)] = group
    return result


class Workshop:
    """Trains the networks of one recipe and keeps each in `folder`, so that none is trained twice."""

    def __init__(self, folder: Path, backbone: GrayResNet, finetune: FinetuneConfig, distort: DistortConfig, seed: int,
                 progress: StageProgress) -> None:  # fmt: skip
        self._folder, self._backbone, self._progress = folder, backbone, progress
        self._finetune, self._distort, self._seed = finetune, distort, seed
        folder.mkdir(parents=True, exist_ok=True)

    def tuned(self, name: str, train: Labelled, validation: Labelled | None = None, epochs: int | None = None) -> Tuned:
        """The network of that name, trained unless it is there already. `epochs` counts those of the first cycle, as
        does the `best_epoch` that is returned; the history is that of both.
        """
        start = resnet.build()
        start.load_state_dict({**self._backbone.state_dict(), **_new_head(self._seed)})
        polish = self._finetune.polish
        if polish is None:
            return self._cycle(name, start, self._finetune, self._seed, train, validation, epochs)
        first = self._cycle(f"{name}-first", start, self._finetune, self._seed, train, validation, epochs)
        config = self._finetune.second_cycle(polish)
        second = self._cycle(name, first.network, config, self._seed + 1, train, validation, None)
        return Tuned(second.network, first.best_epoch, first.history + second.history)

    def _cycle(
        self,
        name: str,
        start: GrayResNet,
        config: FinetuneConfig,
        seed: int,
        train: Labelled,
        validation: Labelled | None,
        epochs: int | None,
    ) -> Tuned:
        weights, told = self._folder / f"{name}.safetensors", self._folder / f"{name}.json"
        if told.exists():
            return _read(weights, told)
        state = self._folder / f"{name}.state"
        progress = stage(self._progress, f"training {name}")
        job = parallel.Job(start, config, self._distort, seed, train, state, validation, epochs)
        tuned = parallel.fit(job, progress)
        save_file({key: value.contiguous() for key, value in tuned.network.body.state_dict().items()}, weights)
        history = [asdict(epoch) for epoch in tuned.history]
        told.write_text(json.dumps({"best_epoch": tuned.best_epoch, "history": history}), encoding="utf-8")
        state.unlink()
        return tuned

    def logits(self, name: str, network: GrayResNet, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Raw logits (2, n) of images as they are and of coarse copies, computed unless they are there already."""
        file = self._folder / f"{name}.npy"
        if not file.exists():
            both = np.concatenate([pixels, degrade(pixels, self._seed)])
            progress = stage(self._progress, f"predicting {name}")
            found = predict(network, both, SIZE, self._finetune.precision, progress)
            np.save(file, found.reshape(2, -1))
        return np.asarray(np.load(file), dtype=np.float32)


def develop(workshop: Workshop, data: Labelled, folds: NDArray[np.int64], count: int) -> Networks:
    """Train `count` networks for out-of-fold predictions, and one on all but the test part, which is not looked at.

    The first learns from the training part and stops early on the validation part, which it then predicts. The
    others, and the last, train for the number of epochs it settled on.
    """
    group = groups(folds, count)
    known = group >= 0
    logits = np.empty((2, len(folds)), dtype=np.float32)
    stopped = workshop.tuned("group0", data.select(known & (group != 0)), data.select(group == 0))
    logits[:, group == 0] = workshop.logits("group0", stopped.network, data.pixels[group == 0])
    final = workshop.tuned("final", data.select(known), epochs=stopped.best_epoch)
    for number in range(1, count):
        held_out = group == number
        name = f"group{number}"
        tuned = workshop.tuned(name, data.select(known & ~held_out), epochs=stopped.best_epoch)
        logits[:, held_out] = workshop.logits(name, tuned.network, data.pixels[held_out])
    return Networks(final.network, logits[:, known], stopped.history, stopped.best_epoch)


def _new_head(seed: int) -> dict[str, Tensor]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return {f"body.fc.{name}": value for name, value in nn.Linear(resnet.FEATURES, 1).state_dict().items()}


def _read(weights: Path, told: Path) -> Tuned:
    network = resnet.build()
    network.body.load_state_dict(load_file(weights))
    values = json.loads(told.read_text(encoding="utf-8"))
    history = [Epoch(**epoch) for epoch in values["history"]]
    return Tuned(network.requires_grad_(False), values["best_epoch"], history)
