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

from imaging.transform import INPUT_PX
from model import resnet
from model.resnet import GrayResNet
from training.augment.distort import DistortConfig, degrade
from training.augment.loader import Labelled
from training.augment.restyle import crossed
from training.data import split
from training.finetune import parallel
from training.finetune.loop import Tuned, predict
from training.finetune.schedule import FinetuneConfig
from training.finetune.soup import average
from training.history import Epoch
from training.progress import StageProgress, stage

VIEWS = ("out_of_fold", "out_of_fold_copies", "out_of_fold_crossed")
"""How the card names figures of images as they are, of coarse copies, and of crossed ones."""


@dataclass(frozen=True)
class Networks:
    """The network of all known images, and raw logits (views, n) of those images, from networks that saw none of the
    same patient: of the images as they are, of coarse copies and, where training restyles, of crossed ones.

    Each network is the mean of several that differ in their seed; `by_seed` (seeds, n) are logits of these alone, of
    the images as they are. `history` is that of the run with early stopping.
    """

    final: GrayResNet
    views: tuple[str, ...]
    out_of_fold: NDArray[np.float32]
    by_seed: NDArray[np.float32]
    history: list[Epoch]
    best_epoch: int


def cache_key(
    backbone_sha256: str, data_digest: str, finetune: FinetuneConfig, distort: DistortConfig, seed: int
) -> str:
    """What the networks depend on, as 16 hex digits; further seeds and background processes change none of them."""
    settings = finetune.model_dump_json(exclude={"workers", "seeds"})
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


@dataclass(frozen=True)
class Soup:
    """The mean of `members`, which differ in their seed, after the second cycle where the recipe has one.

    `best_epoch` counts those of the first cycle; `history` is that of the first member and of the second cycle.
    """

    network: GrayResNet
    members: list[GrayResNet]
    best_epoch: int
    history: list[Epoch]


class Workshop:
    """Trains the networks of one recipe and keeps each in `folder`, so that none is trained twice."""

    def __init__(self, folder: Path, backbone: GrayResNet, finetune: FinetuneConfig, distort: DistortConfig, seed: int,
                 progress: StageProgress) -> None:  # fmt: skip
        self._folder, self._backbone, self._progress = folder, backbone, progress
        self._finetune, self._distort, self._seed = finetune, distort, seed
        folder.mkdir(parents=True, exist_ok=True)

    def soup(self, name: str, train: Labelled, validation: Labelled | None = None, epochs: int | None = None) -> Soup:
        """The network of that name, of which nothing is trained that is there already.

        `seeds` networks start from the same weights and see other batches; the first stops early where there are
        validation images, the others learn for as many epochs. A second cycle starts from their mean.
        """
        first = self._seed_of(name, 0, train, validation, epochs)
        others = (self._seed_of(name, n, train, None, first.best_epoch) for n in range(1, self._finetune.seeds))
        members, history = [first.network, *(other.network for other in others)], first.history
        network, polish = average(members), self._finetune.polish
        if polish is not None:
            config = self._finetune.second_cycle(polish)
            second = self._cycle(f"{name}-mean{len(members)}", network, config, self._seed + 1, train, validation, None)
            network, history = second.network, history + second.history
        return Soup(network, members, first.best_epoch, history)

    def _seed_of(
        self, name: str, number: int, train: Labelled, validation: Labelled | None, epochs: int | None
    ) -> Tuned:
        start, seed = resnet.build(), self._seed + 1000 * number
        start.load_state_dict({**self._backbone.state_dict(), **_new_head(self._seed)})
        return self._cycle(f"{name}-seed{number}", start, self._finetune, seed, train, validation, epochs)

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

    def logits(self, name: str, soup: Soup, data: Labelled) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Raw logits of `data`, computed unless they are there already: by the soup (views, n), by its members
        (seeds, n) of the images as they are, in the size in which the second cycle goes on.
        """
        size_px = self._finetune.polish.size_px if self._finetune.polish else INPUT_PX
        of_soup = self._predicted(f"{name}-mean{len(soup.members)}", soup.network, self._views(data), INPUT_PX)
        of_members = [
            self._predicted(f"{name}-seed{number}", member, data.pixels, size_px)
            for number, member in enumerate(soup.members)
        ]
        return of_soup.reshape(-1, len(data.labels)), np.stack(of_members)

    def _views(self, data: Labelled) -> NDArray[np.uint8]:
        views, restyling = [data.pixels, degrade(data.pixels, self._seed)], self._distort.restyle
        if restyling.share > 0:
            views.append(crossed(data.pixels, data.labels, restyling.field, self._seed))
        return np.concatenate(views)

    def _predicted(
        self, name: str, network: GrayResNet, pixels: NDArray[np.uint8], size_px: int
    ) -> NDArray[np.float32]:
        file = self._folder / f"{name}.npy"
        if not file.exists():
            progress = stage(self._progress, f"predicting {name}")
            np.save(file, predict(network, pixels, size_px, self._finetune.precision, progress))
        return np.asarray(np.load(file), dtype=np.float32)


def develop(workshop: Workshop, data: Labelled, folds: NDArray[np.int64], count: int) -> Networks:
    """Train networks of `count` groups for out-of-fold predictions, and one on all but the test part, which is not
    looked at.

    That of the first group learns from the training part and stops early on the validation part, which it then
    predicts. The others, and the last, train for the number of epochs it settled on.
    """
    group = groups(folds, count)
    known = group >= 0
    parts: list[tuple[NDArray[np.float32], NDArray[np.float32]]] = []
    stopped = workshop.soup("group0", data.select(known & (group != 0)), data.select(group == 0))
    final = workshop.soup("final", data.select(known), epochs=stopped.best_epoch)
    for number in range(count):
        name, learning = f"group{number}", data.select(known & (group != number))
        validation = data.select(group == 0) if number == 0 else None
        soup = workshop.soup(name, learning, validation, stopped.best_epoch if number else None)
        parts.append(workshop.logits(name, soup, data.select(group == number)))
    out_of_fold, by_seed = (_in_order([part[kind] for part in parts], group) for kind in (0, 1))
    views = VIEWS[: len(out_of_fold)]
    return Networks(final.network, views, out_of_fold[:, known], by_seed[:, known], stopped.history, stopped.best_epoch)


def _in_order(parts: list[NDArray[np.float32]], group: NDArray[np.int64]) -> NDArray[np.float32]:
    """Rows (k, n) of all images from those of each group."""
    rows = np.full((len(parts[0]), len(group)), np.nan, dtype=np.float32)
    for number, part in enumerate(parts):
        rows[:, group == number] = part
    return rows


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
