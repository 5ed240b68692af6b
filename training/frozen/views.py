"""Augmented views of an image: what varies between hospitals must not tell the classes apart.

Besides position (flip, rotation, scale) these vary exposure and, above all, compression: in this data set the
JPEG quality of the originals gives the class away (docs/training.md), so blur, noise and re-encoding at random
quality take that clue from the network.
"""

from __future__ import annotations

from typing import Any

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor
from torchvision.transforms import v2


class AugmentConfig(BaseModel):
    """How far the views differ; part of the key under which features are cached."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    flip: float = 0.5
    rotation_degrees: float = 10.0
    scale: tuple[float, float] = (0.9, 1.15)
    shift: float = 0.05
    contrast: float = 0.2
    brightness: float = 0.1
    gamma: tuple[float, float] = (0.75, 1.33)
    blur_sigma_px: tuple[float, float] = (0.1, 1.0)
    blur: float = 0.5
    noise_sigma: float = 0.02
    noise: float = 0.3
    jpeg: float = 0.7
    jpeg_quality: tuple[int, int] = (20, 95)


class RandomGamma(v2.Transform):  # type: ignore[misc]  # torchvision ships no types
    """Raise gray values, scaled to 0..1, to a random power: another exposure curve."""

    def __init__(self, gamma: tuple[float, float]) -> None:
        super().__init__()
        self.gamma = gamma

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:  # torchvision passes it
        return {"gamma": float(torch.empty(()).uniform_(*self.gamma))}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return v2.functional.adjust_gamma(inpt, params["gamma"])


def build_transform(config: AugmentConfig) -> Any:
    """A transform of one uint8 (1, H, W) tensor to another of the same shape, random from torch's own generator."""
    bytes_to_unit, unit_to_bytes = v2.ToDtype(torch.float32, scale=True), v2.ToDtype(torch.uint8, scale=True)
    noise = v2.Compose([bytes_to_unit, v2.GaussianNoise(sigma=config.noise_sigma), unit_to_bytes])
    return v2.Compose(
        [
            v2.RandomHorizontalFlip(config.flip),
            v2.RandomAffine(
                config.rotation_degrees,
                translate=(config.shift, config.shift),
                scale=config.scale,
                interpolation=v2.InterpolationMode.BILINEAR,
            ),
            v2.ColorJitter(brightness=config.brightness, contrast=config.contrast),
            RandomGamma(config.gamma),
            v2.RandomApply([v2.GaussianBlur(5, config.blur_sigma_px)], config.blur),
            v2.RandomApply([noise], config.noise),
            v2.RandomApply([v2.JPEG(config.jpeg_quality)], config.jpeg),
        ]
    )


def augment(pixels: Tensor, transform: Any, seed: int) -> Tensor:
    """One augmented copy of uint8 (N, H, W), each image on its own; the same seed gives the same copy."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return torch.stack([transform(image.unsqueeze(0)).squeeze(0) for image in pixels])
