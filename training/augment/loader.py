"""Distorted batches, made in a background process while the network trains."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils import data as torch_data
from torch.utils.data import DataLoader

from core.errors import InvalidInput
from training.augment.distort import DistortConfig, distort
from training.augment.restyle import Styles, restyle, styles
from training.data.dataset import Dataset
from training.data.listing import CLASSES


@dataclass(frozen=True)
class LabelledImages:
    """Images uint8 (n, 224, 224), labels (n,), 1 for pneumonia, causes (n,): 1 virus, 0 bacteria, -1 unknown, and
    sources (n,), a number for each.
    """

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]
    causes: NDArray[np.int64]
    sources: NDArray[np.int64]

    @classmethod
    def of(cls, dataset: Dataset, same_as: Mapping[str, str]) -> LabelledImages:
        """A data set's images. `same_as` names the source to which another one counts.

        Raises:
            InvalidInput: a source has images of one class alone, so that the source would tell the class.
        """
        names = np.array([same_as.get(source, source) for source in dataset.sources])
        for name in np.unique(names):
            if len(set(dataset.labels[names == name].tolist())) < len(CLASSES):
                raise InvalidInput(
                    f"The source {name} has images of one class alone, by which a network would tell the class; "
                    "let it count to another one: [data] same_as in the configuration."
                )
        numbers = np.unique(names, return_inverse=True)[1].astype(np.int64)
        return cls(dataset.pixels, dataset.labels, dataset.causes, numbers)

    @property
    def digest(self) -> str:
        """sha256 over all four."""
        arrays = (self.labels, self.causes, self.sources, self.pixels)
        return hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest()

    @property
    def arrays(self) -> tuple[NDArray[Any], ...]:
        """What goes into a batch."""
        return self.pixels, self.labels, self.causes

    @cached_property
    def styles(self) -> Styles:
        """The styles of all images, from which copies take theirs."""
        return styles(self.pixels, self.labels)

    def select(self, members: NDArray[np.bool_]) -> LabelledImages:
        return LabelledImages(self.pixels[members], self.labels[members], self.causes[members], self.sources[members])


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


class _Distorted(torch_data.Dataset[Any]):
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
    """Return one epoch: as many images as the rarer class has, and as many of the other, in random order.

    A remainder too small for batch statistics is left out. The same seed and epoch give the same batches, whatever
    the number of workers. `size` counts the images of one step on all devices together, so that learning rate and
    averages mean the same on however many; `share` is what this process takes. Iterate with `Batch(*item)`.
    """
    epoch_seed = _seed(seed, epoch)
    members = balanced(data, seed, epoch)
    order = members[torch.randperm(len(members), generator=torch.Generator().manual_seed(epoch_seed))]
    groups = [group for group in torch.split(order, size) if len(group) > size // 2]
    if config.restyle.share > 0:
        _ = data.styles  # made once here, rather than in each background process
    dataset = _Distorted(data, config, groups, epoch_seed, share)
    return DataLoader(dataset, batch_size=None, num_workers=workers, prefetch_factor=4 if workers else None)


def balanced(data: LabelledImages, seed: int, epoch: int) -> Tensor:
    """Return indices of as many images of each class as the rarer one has, other ones in each epoch.

    Within a class all its sources weigh the same, or the share of a source would tell the class.
    """
    count = int(np.bincount(data.labels, minlength=2).min())
    chosen = []
    for label in (0, 1):
        members = [np.flatnonzero((data.labels == label) & (data.sources == one)) for one in np.unique(data.sources)]
        members = [cell for cell in members if len(cell)]
        for number, cell in enumerate(members):
            quota = (count + number) // len(members)
            shuffled = np.random.default_rng(seed).permutation(cell)
            chosen.append(shuffled[(epoch * quota + np.arange(quota)) % len(cell)])
    return torch.from_numpy(np.concatenate(chosen))


def _seed(*parts: int) -> int:
    return int(np.random.SeedSequence(parts).generate_state(1)[0])
