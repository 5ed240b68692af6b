"""Copies in another image's style take its tone, its sharpness and its field, and keep what is coarse."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

from training.augment import restyle
from training.augment.restyle import RestyleConfig, Styles

FULL = RestyleConfig(share=1, tone=(1, 1), spectrum=(1, 1), field=(1.0, 1.5))


def images(count: int = 8) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """The same coarse wave; the first half is darker and full of noise, the rest bright and smooth."""
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], count // 2).astype(np.int64)
    wave = 30 * np.sin(np.linspace(0, 12, 224))[:, None] * np.ones((1, 224))
    noise = rng.normal(0, 1, (count, 224, 224)) * np.where(labels == 0, 20, 4)[:, None, None]
    return (np.where(labels == 0, 100, 150)[:, None, None] + wave + noise).clip(0, 255).astype(np.uint8), labels


def pool() -> Styles:
    return restyle.styles(*images())


def generator() -> Generator:
    return Generator().manual_seed(0)


def detail(pixels: NDArray[np.uint8] | Tensor) -> float:
    return float(np.abs(np.diff(np.asarray(pixels, dtype=np.float64), axis=-1)).mean())


def test_styles_are_those_of_the_images() -> None:
    found = pool()
    assert (found.tones.shape, found.spectra.shape) == ((8, 256), (8, restyle.RINGS))
    assert torch.allclose(found.tones[:, -1], torch.ones(8))
    assert bool((found.spectra[:4, 60:].mean(1) > found.spectra[4:, 60:].mean(1)).all())


def test_styles_are_drawn_without_regard_to_how_many_there_are() -> None:
    few = pool().select(torch.tensor([0, 4, 5, 6, 7]))
    share = few.draw(2000, generator()).labels.float().mean()
    assert 0.45 < float(share) < 0.55


def test_the_other_class_is_drawn_where_it_is_asked_for() -> None:
    labels = torch.tensor([0, 1, 1, 0])
    assert pool().draw_other(labels, generator()).labels.tolist() == [1, 0, 0, 1]


def test_crossed_copies_change_places() -> None:
    pixels, labels = images()
    copies = restyle.crossed(pixels, labels, (1.0, 1.0), seed=0)
    assert copies.shape == pixels.shape
    assert copies.dtype == np.uint8
    assert detail(copies[labels == 0]) < 0.5 * detail(pixels[labels == 0])
    assert detail(copies[labels == 1]) > 2 * detail(pixels[labels == 1])
    assert abs(copies[labels == 0].mean() - 125) < 5  # half of the way from 100 to 150
    assert np.array_equal(copies, restyle.crossed(pixels, labels, (1.0, 1.0), seed=0))
    assert not np.array_equal(copies, restyle.crossed(pixels, labels, (1.0, 1.0), seed=1))


def test_what_is_coarse_stays() -> None:
    pixels, labels = images()
    copies = restyle.crossed(pixels, labels, (1.0, 1.0), seed=0)
    rows = [its.mean(2) - its.mean((1, 2))[:, None] for its in (pixels.astype(np.float64), copies)]
    assert all(np.corrcoef(plain, copy)[0, 1] > 0.98 for plain, copy in zip(*rows, strict=True))


def test_the_field_changes_by_the_ratio_of_the_two() -> None:
    pixels, labels = images()
    drawn = pool().draw_other(torch.from_numpy(labels), generator())
    everyone = torch.ones(8, dtype=torch.bool)
    _, field = restyle.in_style(torch.from_numpy(pixels), torch.from_numpy(labels), drawn, FULL, generator(), everyone)
    assert torch.allclose(field, torch.tensor([1.5] * 4 + [1 / 1.5] * 4))


def test_a_wider_field_is_cut_from_above_and_below() -> None:
    pixels, labels = images()
    narrow = restyle.crossed(pixels, labels, (1.0, 1.0), seed=0)
    wide = restyle.crossed(pixels, labels, (1.0, 2.0), seed=0)
    assert np.allclose(wide[0].mean(1)[[0, -1]], narrow[0].mean(1)[[56, 167]], atol=4)
    assert np.allclose(wide[-1].mean(1), narrow[-1].mean(1), atol=8)


def test_a_share_of_copies_is_restyled() -> None:
    pixels, labels = images(64)
    config = FULL.model_copy(update={"share": 0.25})
    copies, field = restyle.restyle(torch.from_numpy(pixels), torch.from_numpy(labels), pool(), config, generator())
    same = (copies.numpy() == pixels).all((1, 2))
    assert 0.55 < same.mean() < 0.95
    assert bool((field[torch.from_numpy(same)] == 1).all())


def test_images_smaller_than_usual_are_taken_too() -> None:
    small = np.random.default_rng(0).integers(0, 255, (4, 200, 180), dtype=np.uint8)
    assert restyle.crossed(small, np.array([0, 0, 1, 1]), (1.0, 1.0), 0).shape == small.shape
