"""Training the networks that are averaged to one, each kept on disk so that none is trained twice."""

from __future__ import annotations

import json
from collections.abc import Callable
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
from training.augment.loader import LabelledImages
from training.augment.reframe import reframe
from training.augment.restyle import crossed
from training.finetune import parallel
from training.finetune.loop import FineTuned
from training.finetune.predict import predict
from training.finetune.schedule import FinetuneConfig
from training.finetune.soup import average
from training.history import Epoch
from training.lungs.network import LungNetwork
from training.progress import StageProgress, stage


@dataclass(frozen=True)
class Soup:
    """The mean of `members`, which differ in their seed, after the second cycle where the recipe has one.

    `best_epoch` counts those of the first cycle; `history` is that of the first member and of the second cycle.
    """

    network: GrayResNet
    members: list[GrayResNet]
    best_epoch: int
    history: list[Epoch]


@dataclass(frozen=True)
class Logits:
    """Raw logits of the same n images: of the soup (n,) by view, and of its members (seeds, n)."""

    by_view: dict[str, NDArray[np.float32]]
    by_seed: NDArray[np.float32]


class SoupTrainer:
    """Trains the networks of one recipe and keeps each in `folder`, so that none is trained twice.

    `lungs` says where the map has to point, if the recipe asks for that.
    """

    def __init__(self, folder: Path, backbone: GrayResNet, finetune: FinetuneConfig, distort: DistortConfig, seed: int,
                 progress: StageProgress, lungs: LungNetwork | None = None) -> None:  # fmt: skip
        self._folder, self._backbone, self._progress = folder, backbone, progress
        self._finetune, self._distort, self._seed = finetune, distort, seed
        self.lungs = lungs
        folder.mkdir(parents=True, exist_ok=True)

    def out_of_fold(self) -> SoupTrainer:
        """The trainer of networks that only predict what they have not seen: of `oof_seeds` seeds, the same folder."""
        finetune = self._finetune.model_copy(update={"seeds": self._finetune.oof_seeds or self._finetune.seeds})
        return SoupTrainer(
            self._folder, self._backbone, finetune, self._distort, self._seed, self._progress, self.lungs
        )

    def train(
        self, name: str, train: LabelledImages, validation: LabelledImages | None = None, epochs: int | None = None
    ) -> Soup:
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
        self, name: str, number: int, train: LabelledImages, validation: LabelledImages | None, epochs: int | None
    ) -> FineTuned:
        start, seed = resnet.build(equalised=self._backbone.equalised), self._seed + 1000 * number
        start.load_state_dict({**self._backbone.state_dict(), **_new_head(self._seed)})
        return self._cycle(f"{name}-seed{number}", start, self._finetune, seed, train, validation, epochs)

    def _cycle(
        self,
        name: str,
        start: GrayResNet,
        config: FinetuneConfig,
        seed: int,
        train: LabelledImages,
        validation: LabelledImages | None,
        epochs: int | None,
    ) -> FineTuned:
        weights, summary = self._folder / f"{name}.safetensors", self._folder / f"{name}.json"
        if summary.exists():
            return _read(weights, summary, equalised=start.equalised)
        state = self._folder / f"{name}.state"
        progress = stage(self._progress, f"training {name}")
        job = parallel.Job(start, config, self._distort, seed, train, state, validation, epochs, self.lungs)
        tuned = parallel.fit(job, progress)
        save_file({key: value.contiguous() for key, value in tuned.network.body.state_dict().items()}, weights)
        history = [asdict(epoch) for epoch in tuned.history]
        summary.write_text(json.dumps({"best_epoch": tuned.best_epoch, "history": history}), encoding="utf-8")
        state.unlink()
        return tuned

    def logits(self, name: str, soup: Soup, data: LabelledImages) -> Logits:
        """Raw logits of `data`, computed unless they are there already: by the soup of each view, by its members of the
        images as they are, in the size in which the second cycle goes on.
        """
        size_px = self._finetune.polish.size_px if self._finetune.polish else INPUT_PX
        mean = f"{name}-mean{len(soup.members)}"
        of_soup = {
            view: self._predicted(f"{mean}-{view}", soup.network, copies, INPUT_PX)
            for view, copies in self._views(data).items()
        }
        of_members = [
            self._predicted(f"{name}-seed{number}", member, lambda: data.pixels, size_px)
            for number, member in enumerate(soup.members)
        ]
        return Logits(of_soup, np.stack(of_members))

    def plain_logits(self, name: str, soup: Soup, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Raw logits (n,) of images as they are, by the soup alone; computed unless `name` is there already."""
        return self._predicted(f"{name}-mean{len(soup.members)}", soup.network, lambda: pixels, INPUT_PX)

    def _views(self, data: LabelledImages) -> dict[str, Callable[[], NDArray[np.uint8]]]:
        """What makes each view's images, under the name of its figures on the card."""
        pixels, restyling = data.pixels, self._distort.restyle
        views = {
            "out_of_fold": lambda: pixels,
            "out_of_fold_copies": lambda: degrade(pixels, self._seed),
            "out_of_fold_reframed": lambda: reframe(pixels, self._seed),
        }
        if restyling.share > 0:
            views["out_of_fold_crossed"] = lambda: crossed(pixels, data.labels, restyling.field, self._seed)
        return views

    def _predicted(
        self, name: str, network: GrayResNet, pixels: Callable[[], NDArray[np.uint8]], size_px: int
    ) -> NDArray[np.float32]:
        file = self._folder / f"{name}.npy"
        if not file.exists():
            progress = stage(self._progress, f"predicting {name}")
            np.save(file, predict(network, pixels(), size_px, self._finetune.precision, progress))
        return np.asarray(np.load(file), dtype=np.float32)


def _new_head(seed: int) -> dict[str, Tensor]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return {f"body.fc.{name}": value for name, value in nn.Linear(resnet.FEATURES, 1).state_dict().items()}


def _read(weights: Path, summary: Path, *, equalised: bool) -> FineTuned:
    network = resnet.build(equalised=equalised)
    network.body.load_state_dict(load_file(weights))
    values = json.loads(summary.read_text(encoding="utf-8"))
    history = [Epoch(**epoch) for epoch in values["history"]]
    return FineTuned(network.requires_grad_(False), values["best_epoch"], history)
