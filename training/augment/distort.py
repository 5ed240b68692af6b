"""Distorted copies of whole batches: what varies between hospitals, and between files, must not tell classes apart.

Position, exposure and above all sharpness and compression vary for both classes alike, because in this data set the
compression of the originals gives the class away (docs/training.md). Everything works on a batch at once and takes
about three milliseconds an image on one core, so that a background process keeps up with training.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from torch import Generator, Tensor
from torch.nn import functional

from training.augment.additions import cover_margin, print_word
from training.augment.jpeg import recompress
from training.augment.restyle import RestyleConfig

Share = Annotated[float, Field(ge=0, le=1)]
Range = tuple[float, float]


class DistortConfig(BaseModel):
    """How far copies differ. Names without a unit are shares of images, or of the image's side or range."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    flip: Share = 0.5
    crop_area: Range = (0.55, 1.0)
    crop_ratio: Range = (0.8, 1.25)
    rotation_degrees: float = 12.0
    shift: float = 0.06
    fill: tuple[float, float, float] = (1.0, 0.0, 0.0)
    """How often what comes in from outside is black, the edge's own gray, or mirrored; in relation to each other."""
    gamma: Range = (0.6, 1.7)
    contrast: Range = (0.65, 1.35)
    brightness: float = 0.12
    equalise: Share = 0.15
    shading: float = 0.15
    rescale: Share = 0.5
    rescale_to: Range = (0.35, 0.9)
    blur: Share = 0.3
    blur_sigma_px: Range = (0.3, 1.2)
    noise: Share = 0.4
    noise_sigma: Range = (0.0, 0.04)
    jpeg: Share = 0.7
    jpeg_quality: tuple[int, int] = (15, 95)
    margin: Share = 0.0
    margin_side: Range = (0.01, 0.12)
    print: Share = 0.0
    cutout: Share = 0.4
    cutout_side: Range = (0.1, 0.35)
    restyle: RestyleConfig = RestyleConfig()


def distort(pixels: Tensor, config: DistortConfig, generator: Generator, field: Tensor | None = None) -> Tensor:
    """Return a distorted copy of uint8 (N, H, W), each image on its own; the same generator state gives the same copy.

    `field` (N,) is the width over height, relative to its own, of what each copy shows (training/augment/restyle.py).
    """
    gray = _tone(pixels, config, generator)
    gray = _place(gray, config, generator, torch.ones(len(pixels)) if field is None else field)
    gray = _shade(gray, config, generator)
    gray = _rescale(gray, config, generator)
    gray = _blur(gray, config, generator)
    gray = _noise(gray, config, generator)
    pixels = _to_bytes(gray)
    for index in _chosen(len(pixels), config.margin, generator).tolist():
        cover_margin(pixels[index], config.margin_side, generator)
    for index in _chosen(len(pixels), config.print, generator).tolist():
        print_word(pixels[index], generator)
    pixels = _compress(pixels, config, generator)
    return _cut_out(pixels, config, generator)


def degrade(pixels: NDArray[np.uint8], seed: int) -> NDArray[np.uint8]:
    """Coarse copies of uint8 (N, H, W): shrunk to a random 50-90 %, brought back, saved as JPEG of quality 30-60."""
    coarse = DistortConfig(rescale=1, rescale_to=(0.5, 0.9), jpeg=1, jpeg_quality=(30, 60))
    generator = Generator().manual_seed(seed)
    parts = []
    for batch in torch.split(torch.from_numpy(pixels), 64):
        gray = _rescale(batch.float() / 255, coarse, generator)
        parts.append(_compress(_to_bytes(gray), coarse, generator).numpy())
    return np.concatenate(parts)


def uniform(count: int, bounds: Range, generator: Generator) -> Tensor:
    """(count,) between the bounds."""
    return torch.empty(count).uniform_(bounds[0], bounds[1], generator=generator)


def _chosen(count: int, share: float, generator: Generator) -> Tensor:
    """Indices of a random share of images."""
    return torch.nonzero(torch.rand(count, generator=generator) < share)[:, 0]


def _to_bytes(gray: Tensor) -> Tensor:
    return gray.clamp(0, 1).mul(255).round().to(torch.uint8)


def _tone(pixels: Tensor, config: DistortConfig, generator: Generator) -> Tensor:
    """uint8 -> float 0..1 through a random curve of gray values: gamma, contrast, brightness, equalisation."""
    count = len(pixels)
    steps = torch.linspace(0, 1, 256).expand(count, 256)
    curves = steps ** uniform(count, config.gamma, generator)[:, None]
    for index in _chosen(count, config.equalise, generator).tolist():
        share = float(torch.rand((), generator=generator))
        cumulated = torch.bincount(pixels[index].flatten().int(), minlength=256).cumsum(0) / pixels[index].numel()
        curves[index] = (1 - share) * curves[index] + share * cumulated
    contrast = uniform(count, config.contrast, generator)[:, None]
    brightness = uniform(count, (-config.brightness, config.brightness), generator)[:, None]
    curves = ((curves - 0.5) * contrast + 0.5 + brightness).clamp(0, 1)
    return curves.gather(1, pixels.flatten(1).long()).view(pixels.shape)


def _place(gray: Tensor, config: DistortConfig, generator: Generator, field: Tensor) -> Tensor:
    """Random crop, rotation, shift and flip in one interpolation; `fill` says what comes in from outside."""
    count = len(gray)
    side = uniform(count, config.crop_area, generator).sqrt()
    ratio = uniform(count, (np.log(config.crop_ratio[0]), np.log(config.crop_ratio[1])), generator).exp().sqrt()
    ratio = ratio * field.sqrt()
    # A crop in another ratio fits inside, or its black bars would tell that the field was changed.
    side = torch.minimum(side, torch.minimum(ratio, 1 / ratio).where(field != 1, side))
    width, height = side * ratio, side / ratio
    flip = 1 - 2 * (torch.rand(count, generator=generator) < config.flip).float()
    angle = torch.deg2rad(uniform(count, (-config.rotation_degrees, config.rotation_degrees), generator))
    room = uniform(count, (-1, 1), generator), uniform(count, (-1, 1), generator)
    across = room[0] * ((1 - width).clamp_min(0) + config.shift)
    down = room[1] * ((1 - height).clamp_min(0) + config.shift)
    cosine, sine = angle.cos(), angle.sin()
    rows = [torch.stack([cosine * width * flip, -sine * height, across], 1)]
    rows.append(torch.stack([sine * width * flip, cosine * height, down], 1))
    grid = functional.affine_grid(torch.stack(rows, 1), [count, 1, *gray.shape[1:]], align_corners=False)
    fill = torch.multinomial(torch.tensor(config.fill), count, replacement=True, generator=generator)
    placed = torch.empty_like(gray)
    for number, mode in enumerate(("zeros", "border", "reflection")):
        group = torch.nonzero(fill == number)[:, 0]
        sampled = functional.grid_sample(gray[group].unsqueeze(1), grid[group], padding_mode=mode, align_corners=False)
        placed[group] = sampled.squeeze(1)
    return placed


def _shade(gray: Tensor, config: DistortConfig, generator: Generator) -> Tensor:
    """Brighten and darken smoothly across the image, as uneven exposure does."""
    coarse = 1 + config.shading * (2 * torch.rand(len(gray), 1, 3, 3, generator=generator) - 1)
    return gray * functional.interpolate(coarse, gray.shape[1:], mode="bilinear", align_corners=True).squeeze(1)


def _rescale(gray: Tensor, config: DistortConfig, generator: Generator) -> Tensor:
    """Shrink some images and bring them back, which takes the finest detail; in four groups of one factor each."""
    chosen = _chosen(len(gray), config.rescale, generator)
    for group in chosen.chunk(4):
        factor = float(uniform(1, config.rescale_to, generator))
        size = [max(1, round(side * factor)) for side in gray.shape[1:]]
        small = _resize(gray[group], size)
        gray[group] = _resize(small, list(gray.shape[1:]))
    return gray


def _resize(gray: Tensor, size: list[int]) -> Tensor:
    return functional.interpolate(gray.unsqueeze(1), size, mode="bilinear", antialias=True).squeeze(1)


def _blur(gray: Tensor, config: DistortConfig, generator: Generator) -> Tensor:
    chosen = _chosen(len(gray), config.blur, generator)
    if not len(chosen):
        return gray
    sigma = uniform(len(chosen), config.blur_sigma_px, generator)
    offsets = torch.arange(-3, 4)
    kernels = torch.exp(-0.5 * (offsets / sigma[:, None]) ** 2)
    kernels = (kernels / kernels.sum(1, keepdim=True)).view(-1, 1, 1, 7)
    blurred = functional.conv2d(gray[chosen].unsqueeze(0), kernels, padding=(0, 3), groups=len(chosen))
    blurred = functional.conv2d(blurred, kernels.transpose(2, 3), padding=(3, 0), groups=len(chosen))
    gray[chosen] = blurred.squeeze(0)
    return gray


def _noise(gray: Tensor, config: DistortConfig, generator: Generator) -> Tensor:
    chosen = _chosen(len(gray), config.noise, generator)
    sigma = uniform(len(chosen), config.noise_sigma, generator)[:, None, None]
    gray[chosen] += sigma * torch.randn(len(chosen), *gray.shape[1:], generator=generator)
    return gray


def _compress(pixels: Tensor, config: DistortConfig, generator: Generator) -> Tensor:
    for index in _chosen(len(pixels), config.jpeg, generator).tolist():
        quality = int(torch.randint(config.jpeg_quality[0], config.jpeg_quality[1] + 1, (), generator=generator))
        pixels[index] = torch.from_numpy(recompress(pixels[index].numpy(), quality))
    return pixels


def _cut_out(pixels: Tensor, config: DistortConfig, generator: Generator) -> Tensor:
    """Cover a rectangle with one gray value."""
    height, width = pixels.shape[1:]
    for index in _chosen(len(pixels), config.cutout, generator).tolist():
        tall, wide = (uniform(2, config.cutout_side, generator) * torch.tensor([height, width])).int().tolist()
        top = int(torch.randint(height - tall + 1, (), generator=generator))
        left = int(torch.randint(width - wide + 1, (), generator=generator))
        value = int(torch.randint(256, (), generator=generator))
        pixels[index, top : top + tall, left : left + wide] = value
    return pixels
