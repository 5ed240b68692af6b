"""Copies of images with known lungs that are harder: lungs turned white, other tones and places, black borders, lines.

Sure masks come from clear images, mostly of healthy people. A network that saw only these would take a consolidated
lung for the body; painted opacities teach it that a white lung is a lung.
"""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor
from torch.nn import functional

OPAQUE_SHARE = 0.75
"""Share of the images that get opacities."""
LOW_SHARE = 0.25
"""Share of those that lose the lower part of a lung, as an effusion takes it."""
BORDER_SHARE, LINES_SHARE, NOISE_SHARE = 0.2, 0.3, 0.3


def harder(gray: Tensor, masks: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
    """float 0..1 (N, S, S) and masks float (N, S, S) -> copies of both; masks stay those of the whole lungs."""
    gray = opacities(gray, masks, generator)
    gray = _tone(gray, generator)
    gray, masks = _move(gray, masks, generator)
    gray = _noise(_lines(_border(gray, generator), generator), generator)
    return gray, masks


def _uniform(count: int, low: float, high: float, generator: Generator) -> Tensor:
    return torch.empty(count).uniform_(low, high, generator=generator)


def _some(count: int, share: float, generator: Generator) -> list[int]:
    return [int(index) for index in torch.nonzero(torch.rand(count, generator=generator) < share)[:, 0]]


def opacities(gray: Tensor, masks: Tensor, generator: Generator) -> Tensor:
    """Blend parts of the lungs towards a bright gray, by soft blobs of a cloudy texture."""
    count, side = len(gray), gray.shape[-1]
    clouds = functional.interpolate(
        torch.rand(count, 1, side // 8, side // 8, generator=generator), size=(side, side), mode="bicubic"
    )[:, 0]
    soft = functional.avg_pool2d(masks.unsqueeze(1), 5, 1, 2)[:, 0]
    result = gray.clone()
    for index in _some(count, OPAQUE_SHARE, generator):
        inside = torch.nonzero(masks[index] > 0.5)
        if not len(inside):
            continue
        density = _blobs(inside, side, generator)
        if float(torch.rand((), generator=generator)) < LOW_SHARE:
            density = torch.maximum(density, _from_below(inside, side, generator))
        bright = torch.quantile(gray[index], float(_uniform(1, 0.55, 0.95, generator)))
        texture = 1 - float(_uniform(1, 0, 0.6, generator)) * (clouds[index] - 0.2).clamp(0, 1)
        alpha = (density * texture * soft[index]).clamp(0, 1)
        result[index] = gray[index] + alpha * (bright - gray[index]).clamp_min(0)
    return result


def _blobs(inside: Tensor, side: int, generator: Generator) -> Tensor:
    rows, columns = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    density = torch.zeros(side, side)
    for _ in range(int(torch.randint(1, 6, (), generator=generator))):
        row, column = inside[int(torch.randint(len(inside), (), generator=generator))].tolist()
        tall, wide = (_uniform(2, 0.04, 0.22, generator) * side).tolist()
        peak = float(_uniform(1, 0.4, 1.3, generator))
        blob = peak * torch.exp(-0.5 * (((rows - row) / tall) ** 2 + ((columns - column) / wide) ** 2))
        density = torch.maximum(density, blob)
    return density


def _from_below(inside: Tensor, side: int, generator: Generator) -> Tensor:
    """All of one side of the image below a line, which slants."""
    top, bottom = float(inside[:, 0].min()), float(inside[:, 0].max())
    level = bottom - (bottom - top) * float(_uniform(1, 0.1, 0.8, generator))
    slant = float(_uniform(1, -0.4, 0.4, generator))
    rows, columns = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    on_right = float(torch.rand((), generator=generator)) < 0.5
    half = (columns >= side // 2) if on_right else (columns < side // 2)
    return torch.sigmoid((rows + slant * (columns - side / 2) - level) / 2.5) * half


def _tone(gray: Tensor, generator: Generator) -> Tensor:
    """Another exposure curve, partly equalised, with uneven shading."""
    count = len(gray)
    gamma, contrast = _uniform(count, 0.5, 2.0, generator), _uniform(count, 0.6, 1.5, generator)
    shift = _uniform(count, -0.15, 0.15, generator)
    gray = gray.clamp(0, 1) ** gamma[:, None, None]
    gray = (gray - 0.5) * contrast[:, None, None] + 0.5 + shift[:, None, None]
    shading = 1 + 0.35 * (2 * torch.rand(count, 1, 3, 3, generator=generator) - 1)
    gray = gray * functional.interpolate(shading, gray.shape[1:], mode="bilinear", align_corners=True)[:, 0]
    return gray.clamp(0, 1)


def _move(gray: Tensor, masks: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
    """Flip, turn, stretch, crop and shift; what comes in is black or repeats the edge."""
    count = len(gray)
    angle = torch.deg2rad(_uniform(count, -14, 14, generator))
    zoom = torch.exp(_uniform(count, math.log(0.68), math.log(1.25), generator))
    ratio = torch.exp(_uniform(count, -0.22, 0.22, generator))
    flip = 1 - 2 * (torch.rand(count, generator=generator) < 0.5).float()
    across, down = _uniform(count, -0.15, 0.15, generator), _uniform(count, -0.15, 0.15, generator)
    wide, tall = zoom * ratio, zoom / ratio
    rows = [torch.stack([angle.cos() * wide * flip, -angle.sin() * tall, across], 1)]
    rows.append(torch.stack([angle.sin() * wide * flip, angle.cos() * tall, down], 1))
    grid = functional.affine_grid(torch.stack(rows, 1), [count, 1, *gray.shape[1:]], align_corners=False)
    padding = "zeros" if float(torch.rand((), generator=generator)) < 0.5 else "border"
    moved = functional.grid_sample(gray.unsqueeze(1), grid, padding_mode=padding, align_corners=False)[:, 0]
    moved_masks = functional.grid_sample(masks.unsqueeze(1), grid, align_corners=False)[:, 0]
    return moved, moved_masks


def _border(gray: Tensor, generator: Generator) -> Tensor:
    """Black or white bars at the sides or above and below; lungs below them stay lungs in the mask, as thin strips."""
    side = gray.shape[-1]
    for index in _some(len(gray), BORDER_SHARE, generator):
        width = int(_uniform(1, 0.02, 0.1, generator) * side)
        value = float(torch.rand((), generator=generator) < 0.3)
        picture = gray[index] if float(torch.rand((), generator=generator)) < 0.6 else gray[index].T
        picture[:, :width] = value
        picture[:, side - width :] = value
    return gray


def _lines(gray: Tensor, generator: Generator) -> Tensor:
    """Bright straight strokes, as tubes, wires and side markers make them."""
    side = gray.shape[-1]
    rows, columns = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    for index in _some(len(gray), LINES_SHARE, generator):
        for _ in range(int(torch.randint(1, 4, (), generator=generator))):
            row, column, length = (_uniform(3, 0, side, generator)).tolist()
            angle = float(_uniform(1, 0, math.pi, generator))
            along = (rows - row) * math.sin(angle) + (columns - column) * math.cos(angle)
            aside = (rows - row) * math.cos(angle) - (columns - column) * math.sin(angle)
            stroke = (aside.abs() < float(_uniform(1, 0.5, 1.5, generator))) & (along.abs() < length / 2)
            gray[index][stroke] = float(_uniform(1, 0.7, 1, generator))
    return gray


def _noise(gray: Tensor, generator: Generator) -> Tensor:
    for index in _some(len(gray), NOISE_SHARE, generator):
        gray[index] += float(_uniform(1, 0.01, 0.06, generator)) * torch.randn(gray.shape[1:], generator=generator)
    return gray
