"""Views keep shape and type, repeat with their seed, and vary image by image."""

from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError

from training.frozen.views import AugmentConfig, augment, build_transform

OFF = {"flip": 0, "rotation_degrees": 0, "scale": (1, 1), "shift": 0, "contrast": 0, "brightness": 0,
       "gamma": (1, 1), "blur": 0, "noise": 0, "jpeg": 0}  # fmt: skip


def pixels(count: int = 2) -> torch.Tensor:
    ramp = torch.linspace(20, 235, 64).to(torch.uint8)
    return ramp.repeat(count, 64, 1)


def make_view(**changes: object) -> torch.Tensor:
    return augment(pixels(), build_transform(AugmentConfig.model_validate(OFF | changes)), seed=0)


def test_all_off_changes_nothing() -> None:
    assert torch.equal(make_view(), pixels())


@pytest.mark.parametrize(
    "change",
    [
        {"flip": 1},
        {"rotation_degrees": 30},
        {"scale": (0.5, 0.6)},
        {"shift": 0.3},
        {"contrast": 0.5},
        {"brightness": 0.5},
        {"gamma": (0.4, 0.5)},
        {"noise": 1, "noise_sigma": 0.1},
        {"jpeg": 1, "jpeg_quality": (5, 6)},
        {"blur": 1, "blur_sigma_px": (2, 3)},
    ],
)
def test_each_alone_changes_the_image(change: dict[str, object]) -> None:
    view = make_view(**change)
    assert view.shape == pixels().shape
    assert view.dtype == torch.uint8
    assert not torch.equal(view, pixels())


def test_flip_mirrors() -> None:
    assert torch.equal(make_view(flip=1), pixels().flip(-1))


def test_gamma_below_one_brightens() -> None:
    assert make_view(gamma=(0.5, 0.5)).float().mean() > pixels().float().mean()


def test_seed_decides() -> None:
    transform = build_transform(AugmentConfig())
    first = augment(pixels(), transform, 1)
    assert torch.equal(augment(pixels(), transform, 1), first)
    assert not torch.equal(augment(pixels(), transform, 2), first)


def test_images_of_one_view_differ() -> None:
    first, other = augment(pixels(), build_transform(AugmentConfig()), 0)[:2]
    assert not torch.equal(first, other)


def test_the_global_generator_is_left_alone() -> None:
    state = torch.random.get_rng_state()
    augment(pixels(), build_transform(AugmentConfig()), 0)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_unknown_setting() -> None:
    with pytest.raises(ValidationError, match="sharpen"):
        AugmentConfig.model_validate({"sharpen": 1})
