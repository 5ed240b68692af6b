"""Harder copies: opacities lie inside the lungs and only brighten; masks move with the image."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from tests.unit.training.lungs.chests import chest
from training.lungs import paint
from training.lungs.network import SIDE_PX


def images(count: int = 8) -> tuple[Tensor, Tensor]:
    """Images and masks float (count, SIDE_PX, SIDE_PX)."""
    pairs = [chest(seed) for seed in range(count)]
    gray = torch.stack([torch.from_numpy(pixels[::2, ::2].copy()).float() / 255 for pixels, _ in pairs])
    masks = torch.stack([torch.from_numpy(mask[::2, ::2].copy()).float() for _, mask in pairs])
    assert gray.shape == (count, SIDE_PX, SIDE_PX)
    return gray, masks


def test_copies_stay_gray_values_and_masks() -> None:
    gray, masks = images()
    copies, moved = paint.harder(gray, masks, Generator().manual_seed(0))
    assert copies.shape == moved.shape == gray.shape
    assert bool(copies.isfinite().all())
    assert float(moved.min()) >= 0
    assert float(moved.max()) <= 1
    assert not torch.equal(copies, gray)
    assert 0.3 < float(moved.mean() / masks.mean()) < 3


def test_the_same_seed_gives_the_same_copies() -> None:
    once = paint.harder(*images(), Generator().manual_seed(3))
    again = paint.harder(*images(), Generator().manual_seed(3))
    assert torch.equal(once[0], again[0])
    assert torch.equal(once[1], again[1])


def test_the_films_themselves_stay_as_they_were() -> None:
    gray, masks = images()
    before = gray.clone(), masks.clone()
    paint.harder(gray, masks, Generator().manual_seed(0))
    assert torch.equal(gray, before[0])
    assert torch.equal(masks, before[1])


def test_opacities_brighten_lungs_alone() -> None:
    gray, masks = images()
    painted = paint.opacities(gray, masks, Generator().manual_seed(1))
    change = painted - gray
    near = torch.nn.functional.max_pool2d(masks.unsqueeze(1), 5, 1, 2)[:, 0] > 0
    assert float(change.min()) >= 0
    assert float(change[~near].abs().max()) == 0
    whitened = (change * masks).sum((1, 2)) / masks.sum((1, 2))
    assert float(whitened.max()) > 0.1


def test_a_film_without_lungs_gets_no_opacity() -> None:
    gray, masks = images()
    assert torch.equal(paint.opacities(gray, 0 * masks, Generator().manual_seed(1)), gray)
