"""Distorted batches, made in a background process while the network trains."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from training.augment.distort import DistortConfig, distort
from training.augment.restyle import Styles, restyle, styles


@dataclass(frozen=True)
class LabelledImages:
    """Images uint8 (n, 224, 224), labels (n,), 1 for pneumonia, and causes (n,): 1 virus, 0 bacteria, -1 unknown."""

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]
    causes: NDArray[np.int64]

    @property
    def digest(self) -> str:
        """sha256 over all three."""
        return hashlib.sha256(self.labels.tobytes() + self.causes.tobytes() + self.pixels.tobytes()).hexdigest()

    @property
    def arrays(self) -> tuple[NDArray[Any], ...]:
        return self.pixels, self.labels, self.causes

    @cached_property
    def styles(self) -> Styles:
        """The styles of all images, from which copies take theirs."""
        return styles(self.pixels, self.labels)

    def select(self, members: NDArray[np.bool_]) -> LabelledImages:
        return LabelledImages(self.pixels[members], self.labels[members], self.causes[members])


@dataclass(frozen=True)
class Batch:
    """Images uint8 (n, H, W) with float labels and causes (n,)."""

    pixels: Tensor
    labels: Tensor
    causes: Tensor


@dataclass(frozen=True)
class Share:
    """What one of `count` processes takes of each batch; `rank` numbers them from 0."""

    rank: int = 0
    count: int = 1


WHOLE = Share()


class _Distorted(Dataset[Any]):
    """One process's share of each batch. Its random numbers depend on the batch and the share, not on the process."""

    def __init__(
        self, data: LabelledImages, config: DistortConfig, batches: list[Tensor], seed: int, share: Share
    ) -> None:
        self._data, self._config, self._batches, self._seed, self._share = data, config, batches, seed, share

    def __len__(self) -> int:
        return len(self._batches)

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor, Tensor]:
        rank, count = self._share.rank, self._share.count
        members = self._batches[number][rank::count].numpy()
        generator = torch.Generator().manual_seed(_seed(self._seed, number * count + rank))
        pixels, labels, causes = (torch.from_numpy(array[members]) for array in self._data.arrays)
        field = None
        if self._config.restyle.share > 0:
            pixels, field = restyle(pixels, labels, self._data.styles, self._config.restyle, generator)
        return distort(pixels, self._config, generator, field), labels.float(), causes.float()


def batches(
    data: LabelledImages,
    config: DistortConfig,
    *,
    size: int,
    seed: int,
    epoch: int,
    workers: int,
    share: Share = WHOLE,
) -> DataLoader[Any]:
    """Return one epoch: all images of the rarer class and as many of the other, in random order.

    A remainder too small for batch statistics is left out. The same seed and epoch give the same batches, whatever
    the number of workers. `size` counts the images of one step on all devices together, so that learning rate and
    averages mean the same on however many; `share` is what this process takes. Iterate with `Batch(*item)`.
    """
    epoch_seed = _seed(seed, epoch)
    members = balanced(data.labels, seed, epoch)
    order = members[torch.randperm(len(members), generator=torch.Generator().manual_seed(epoch_seed))]
    groups = [group for group in torch.split(order, size) if len(group) > size // 2]
    if config.restyle.share > 0:
        _ = data.styles  # made once here, rather than in each background process
    dataset = _Distorted(data, config, groups, epoch_seed, share)
    return DataLoader(dataset, batch_size=None, num_workers=workers, prefetch_factor=4 if workers else None)


def balanced(labels: NDArray[np.int64], seed: int, epoch: int) -> Tensor:
    """Return indices of all images of the rarer class and as many of the other class, other ones in each epoch."""
    classes = [np.flatnonzero(labels == label) for label in (0, 1)]
    count = min(len(members) for members in classes)
    chosen = []
    for members in classes:
        shuffled = np.random.default_rng(seed).permutation(members)
        chosen.append(shuffled[(epoch * count + np.arange(count)) % len(members)])
    return torch.from_numpy(np.concatenate(chosen))


def _seed(*parts: int) -> int:
    return int(np.random.SeedSequence(parts).generate_state(1)[0])
