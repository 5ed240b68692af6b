"""Distortions change what they should, keep shape and type, and repeat with the seed."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from training.augment import distort
from training.augment.distort import DistortConfig

NOTHING = {
    "flip": 0, "crop_area": (1, 1), "crop_ratio": (1, 1), "rotation_degrees": 0, "shift": 0, "gamma": (1, 1),
    "contrast": (1, 1), "brightness": 0, "equalise": 0, "shading": 0, "rescale": 0, "blur": 0, "noise": 0, "jpeg": 0,
    "cutout": 0,
}  # fmt: skip


def images(count: int = 6) -> Tensor:
    """A smooth gradient with fine texture and one bright corner."""
    rows, columns = torch.meshgrid(torch.arange(64), torch.arange(64), indexing="ij")
    image = 40 + rows + columns + 20 * ((rows + columns) % 2)
    image[:8, :8] = 250
    return image.to(torch.uint8).repeat(count, 1, 1)


def changed(**only: object) -> Tensor:
    config = DistortConfig.model_validate({**NOTHING, **only})
    return distort.distort(images(), config, torch.Generator().manual_seed(0))


def texture(gray: Tensor) -> float:
    """How strong the finest detail is."""
    return float(gray[:, 16:48, 16:48].float().diff(dim=2).abs().mean())


def test_nothing_asked_nothing_changed() -> None:
    assert (changed().int() - images().int()).abs().max() <= 1


def test_another_field_is_cropped_without_black_bars() -> None:
    config = DistortConfig.model_validate(NOTHING)
    field = torch.tensor([1.25, 0.8, 1, 1, 1, 1])
    copies = distort.distort(images(), config, torch.Generator().manual_seed(0), field)
    assert not bool((copies == 0).any())
    kept = (copies.int() - images().int()).abs().amax((1, 2)) <= 1
    assert kept.tolist() == [False, False, True, True, True, True]


def test_shape_type_and_seed() -> None:
    config = DistortConfig()
    first, again, other = (distort.distort(images(), config, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert (first.shape, first.dtype) == ((6, 64, 64), torch.uint8)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_each_image_differs() -> None:
    copies = distort.distort(images(), DistortConfig(), torch.Generator().manual_seed(0))
    assert len({bytes(copy.numpy().tobytes()) for copy in copies}) == 6


def test_does_not_touch_what_it_is_given() -> None:
    given = images()
    distort.distort(given, DistortConfig(jpeg=1, cutout=1), torch.Generator().manual_seed(0))
    assert torch.equal(given, images())


def test_flip_turns_left_and_right() -> None:
    assert (changed(flip=1).int() - images().flip(2).int()).abs().max() <= 1


@pytest.mark.parametrize("only", [{"rescale": 1, "rescale_to": (0.3, 0.4)}, {"blur": 1, "blur_sigma_px": (1, 1.2)}])
def test_fine_detail_goes(only: dict[str, object]) -> None:
    assert texture(changed(**only)) < 0.5 * texture(images())


def test_coarse_jpeg_leaves_its_mark() -> None:
    coarse, fine = changed(jpeg=1, jpeg_quality=(5, 5)), changed(jpeg=1, jpeg_quality=(95, 95))
    assert not torch.equal(coarse, fine)
    assert (fine.float() - images().float()).abs().mean() < (coarse.float() - images().float()).abs().mean()


def test_noise_adds_detail() -> None:
    flat = torch.full((4, 32, 32), 128, dtype=torch.uint8)
    config = DistortConfig.model_validate({**NOTHING, "noise": 1, "noise_sigma": (0.04, 0.04)})
    noisy = distort.distort(flat, config, torch.Generator().manual_seed(0)).float()
    assert noisy.std() == pytest.approx(0.04 * 255, rel=0.1)


@pytest.mark.parametrize(("brightness", "contrast"), [(0.2, (1, 1)), (0, (0.5, 0.6))])
def test_tone_keeps_the_order_of_gray_values(brightness: float, contrast: tuple[float, float]) -> None:
    copies = changed(brightness=brightness, contrast=contrast, gamma=(0.6, 1.7))
    assert not torch.equal(copies, images())
    for copy, image in zip(copies, images(), strict=True):
        order = image.flatten().argsort(stable=True)
        assert (copy.flatten()[order].int().diff() >= -1).all()


def test_cutout_covers_one_rectangle() -> None:
    different = (changed(cutout=1, cutout_side=(0.25, 0.25)).int() - images().int()).abs() > 1
    assert (different.sum((1, 2)) <= 16 * 16).all()
    assert different.any()


def test_degraded_copies_lose_detail_and_repeat() -> None:
    given = images(3).numpy()
    coarse = distort.degrade(given, seed=0)
    assert coarse.shape == given.shape
    assert coarse.dtype == np.uint8
    assert texture(torch.from_numpy(coarse)) < texture(images())
    assert np.array_equal(coarse, distort.degrade(given, seed=0))
    assert np.array_equal(given, images(3).numpy())


@pytest.mark.parametrize(("fill", "black"), [((1, 0, 0), True), ((0, 1, 0), False), ((0, 0, 1), False)])
def test_what_comes_in_from_outside(fill: tuple[float, float, float], black: bool) -> None:
    copies = changed(crop_area=(1.5, 1.5), fill=fill)
    assert bool((copies[:, 0, 0] == 0).all()) == black
    if fill[1]:  # the edge's own gray goes on to the new edge
        assert torch.equal(copies[:, 32, 0], copies[:, 32, 3])


def test_margins_are_black_and_leave_the_middle() -> None:
    copies = changed(margin=1, margin_side=(0.1, 0.1))
    edges = torch.stack([copies[:, :6].amax((1, 2)), copies[:, -6:].amax((1, 2)), copies[:, :, :6].amax((1, 2)),
                         copies[:, :, -6:].amax((1, 2))])  # fmt: skip
    covered = (edges < 8).sum(0)
    assert bool(((covered >= 1) & (covered <= 4)).all())
    assert (copies.int() - images().int())[:, 8:-8, 8:-8].abs().max() <= 1


def test_print_is_bright_and_small() -> None:
    copies, plain = changed(print=1).int(), images().int()
    printed = (copies - plain).abs() > 1
    assert bool(printed.flatten(1).any(1).all())
    assert float(printed.float().mean()) < 0.25
    strongest = copies.where(printed, 0).flatten(1).amax(1)
    assert bool((strongest > 90).all())
