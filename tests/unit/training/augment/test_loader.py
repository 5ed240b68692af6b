"""Batches: both classes alike, every image in turn, the same ones again from the same seed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from core.errors import InvalidInput
from tests.unit.training.synthetic import make_dataset
from training.augment import loader
from training.augment.distort import DistortConfig
from training.augment.loader import Batch, LabelledImages, Share


def make_labelled(normal: int = 6, pneumonia: int = 18, side_px: int = 32) -> LabelledImages:
    """Pneumonia is brighter."""
    labels = np.array([0] * normal + [1] * pneumonia, dtype=np.int64)
    rng = np.random.default_rng(0)
    pixels = rng.normal(90 + 60 * labels[:, None, None], 25, (len(labels), side_px, side_px)).clip(0, 255)
    causes = np.where(labels == 1, np.arange(len(labels)) % 2, -1)
    return LabelledImages(pixels.astype(np.uint8), labels, causes, np.zeros_like(labels))


def read(seed: int = 0, epoch: int = 0, workers: int = 0, size: int = 4) -> list[Batch]:
    found = loader.batches(make_labelled(), DistortConfig(), size=size, seed=seed, epoch=epoch, workers=workers)
    return [Batch(*item) for item in found]


def test_batches_hold_both_classes_alike() -> None:
    labels = torch.cat([batch.labels for batch in read()])
    assert (len(labels), int(labels.sum())) == (12, 6)
    assert [len(batch.pixels) for batch in read()] == [4, 4, 4]


def test_a_small_remainder_is_left_out() -> None:
    assert [len(batch.labels) for batch in read(size=10)] == [10]


def test_epochs_go_through_the_larger_class() -> None:
    data = make_labelled()
    labels = data.labels
    seen = torch.cat([loader.balanced(data, seed=1, epoch=epoch) for epoch in range(3)])
    assert sorted(index for index in seen.tolist() if labels[index] == 1) == list(range(6, 24))
    assert sorted(index for index in seen.tolist() if labels[index] == 0) == sorted(list(range(6)) * 3)


def test_same_seed_same_batches_whatever_the_workers() -> None:
    for first, again in zip(read(), read(workers=1), strict=True):
        assert torch.equal(first.pixels, again.pixels)
        assert torch.equal(first.labels, again.labels)
        assert torch.equal(first.causes, again.causes)


def test_shares_make_up_the_batches() -> None:
    """Causes number the images here: each image of a batch goes to one process, and the copies differ as they would."""
    plain = make_labelled()
    data = LabelledImages(plain.pixels, plain.labels, np.arange(len(plain.labels)), plain.sources)

    def taken(share: Share) -> list[list[float]]:
        found = loader.batches(data, DistortConfig(), size=5, seed=0, epoch=0, workers=0, share=share)
        return [sorted(causes.tolist()) for _, _, causes in found]

    shares = [taken(Share(rank, 2)) for rank in range(2)]
    assert [[len(images) for images in share] for share in shares] == [[3, 3], [2, 2]]
    assert [sorted(first + second) for first, second in zip(*shares, strict=True)] == taken(Share())


def test_epochs_and_seeds_differ() -> None:
    plain = read()[0].pixels
    assert not torch.equal(plain, read(epoch=1)[0].pixels)
    assert not torch.equal(plain, read(seed=1)[0].pixels)


def test_select_and_digest() -> None:
    data = make_labelled()
    normals = data.select(data.labels == 0)
    assert (len(normals.pixels), normals.causes.tolist()) == (6, [-1] * 6)
    assert data.digest == make_labelled().digest
    assert data.digest != normals.digest
    assert data.digest != replace(data, causes=1 - data.causes).digest
    assert data.digest != replace(data, sources=1 - data.sources).digest


def test_sources_weigh_the_same_within_a_class() -> None:
    """Else the share of a source would tell the class: 40 of 50 normals are of the first, 10 of 50 pneumonias."""
    labels = np.repeat([0, 1], 50)
    sources = np.array([0] * 40 + [1] * 10 + [0] * 10 + [1] * 40)
    data = LabelledImages(np.zeros((100, 2, 2), np.uint8), labels, np.full(100, -1), sources)
    drawn = loader.balanced(data, seed=0, epoch=3).numpy()
    assert np.bincount(2 * labels[drawn] + sources[drawn]).tolist() == [25] * 4


def test_a_source_of_one_class_is_refused_or_counts_to_another_one() -> None:
    dataset = make_dataset([0, 1, 0], ["a", "b", "c"])
    dataset = replace(dataset, sources=["ward", "ward", "portable"])
    with pytest.raises(InvalidInput, match="source portable has images of one class alone"):
        LabelledImages.of(dataset, {})
    assert LabelledImages.of(dataset, {"portable": "ward"}).sources.tolist() == [0, 0, 0]
