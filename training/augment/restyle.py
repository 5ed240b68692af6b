"""An image as another image's camera and archive would have recorded it: its tone, its sharpness, its field of view.

In the training set these three give the class away as compression does (docs/training.md): normals were recorded
sharper, in other tones, and in a narrower field, which a square input shows as wider ribs. A copy in the style of an
image that is drawn without regard to its class keeps the anatomy and loses the clue. The spectrum is scaled ring by
ring, a radial form of Fourier domain adaptation (Yang and Soatto 2020, arXiv:2004.05498); tones follow by matching
histograms (Gonzalez and Woods, Digital Image Processing, 3.3.2).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from torch import Generator, Tensor
from torch.nn import functional

SIDE = 256
"""The side of an image whose borders were mirrored: a Fourier transform assumes that the image repeats."""
RINGS = SIDE // 2 + 1
"""Distances from the centre of the spectrum, in cycles a side; what is further out counts to the last."""
ANATOMY, DETAIL = 14.0, 32.0
"""Rings below the first stay as they are, those above the second are scaled fully: opacities are coarse."""
MAX_GAIN = math.e
CROSSED_TONE = 0.5
CHUNK = 64


class RestyleConfig(BaseModel):
    """How many copies are made in another image's style, and how far."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    share: Annotated[float, Field(ge=0, le=1, description="Of the images; 0 leaves it out.")] = 0.0
    tone: tuple[float, float] = (0.0, 0.8)
    """From nothing to the other image's tones; drawn evenly in between."""
    spectrum: tuple[float, float] = (0.5, 1.0)
    field: tuple[float, float] = (1.0, 1.0)
    """Mean width over height of the original files of NORMAL and of PNEUMONIA, where copies no longer show it."""


@dataclass(frozen=True)
class Styles:
    """Of n images: `tones` (n, 256), cumulated shares of grays; `spectra` (n, RINGS), log power; `labels` (n,)."""

    tones: Tensor
    spectra: Tensor
    labels: Tensor

    def draw(self, count: int, generator: Generator) -> Styles:
        """As many of either class, in random order."""
        return self._of_class((torch.rand(count, generator=generator) < 0.5).long(), generator)

    def draw_other(self, labels: Tensor, generator: Generator) -> Styles:
        """For each of `labels` (n,) one of the other class."""
        return self._of_class(1 - labels, generator)

    def _of_class(self, labels: Tensor, generator: Generator) -> Styles:
        drawn = torch.empty(len(labels), dtype=torch.int64)
        for label in (0, 1):
            members, places = (torch.nonzero(of == label)[:, 0] for of in (self.labels, labels))
            drawn[places] = members[torch.randint(len(members), (len(places),), generator=generator)]
        return self.select(drawn)

    def select(self, members: Tensor) -> Styles:
        return Styles(self.tones[members], self.spectra[members], self.labels[members])


def styles(pixels: NDArray[np.uint8], labels: NDArray[np.int64]) -> Styles:
    """The styles of uint8 (n, H, W), a millisecond each."""
    parts = torch.split(torch.from_numpy(pixels), CHUNK)
    spectra = torch.cat([_log_power(_transform(part.float() / 255)) for part in parts])
    return Styles(torch.cat([_tones(part) for part in parts]), spectra, torch.from_numpy(labels))


def restyle(
    pixels: Tensor, labels: Sequence[int] | Tensor, pool: Styles, config: RestyleConfig, generator: Generator
) -> tuple[Tensor, Tensor]:
    """uint8 (N, H, W) -> uint8 copies, and for each the width over height by which its field of view differs (N,).

    The latter is 1 where nothing is to change, and left to whoever crops.
    """
    drawn = pool.draw(len(pixels), generator)
    chosen = torch.rand(len(pixels), generator=generator) < config.share
    return in_style(pixels, torch.as_tensor(labels), drawn, config, generator, chosen)


def in_style(
    pixels: Tensor, labels: Tensor, drawn: Styles, config: RestyleConfig, generator: Generator, chosen: Tensor
) -> tuple[Tensor, Tensor]:
    """`restyle` with styles already drawn (N,), for the `chosen` images (N,)."""
    copies, which = pixels.clone(), torch.nonzero(chosen)[:, 0]
    shares = [
        torch.empty(len(which), 1).uniform_(*bounds, generator=generator) for bounds in (config.tone, config.spectrum)
    ]
    for part in torch.split(torch.arange(len(which)), CHUNK):
        members, style = which[part], drawn.select(which[part])
        toned = _match_tones(pixels[members], style.tones, shares[0][part])
        copies[members] = _match_spectra(toned, style.spectra, shares[1][part])
    aspects = torch.tensor(config.field)
    return copies, torch.where(chosen, aspects[drawn.labels] / aspects[labels], 1.0)


def crossed(
    pixels: NDArray[np.uint8], labels: NDArray[np.int64], field: tuple[float, float], seed: int
) -> NDArray[np.uint8]:
    """Copies of uint8 (n, H, W), each in the style of a random one of the other class: what the styles of the classes
    alone tell a network is wrong in them.
    """
    generator = Generator().manual_seed(seed)
    pool, truth = styles(pixels, labels), torch.from_numpy(labels)
    config = RestyleConfig(share=1, tone=(CROSSED_TONE, CROSSED_TONE), spectrum=(1, 1), field=field)
    all_images = torch.ones(len(pixels), dtype=torch.bool)
    drawn = pool.draw_other(truth, generator)
    copies, fields = in_style(torch.from_numpy(pixels), truth, drawn, config, generator, all_images)
    return _crop(copies, fields).numpy()


def _crop(pixels: Tensor, field: Tensor) -> Tensor:
    """The middle of uint8 (N, H, W) that shows `field` (N,) times its width over height, stretched to the same size."""
    zero, width, height = torch.zeros_like(field), field.clamp_max(1), (1 / field).clamp_max(1)
    rows = torch.stack([torch.stack([width, zero, zero], 1), torch.stack([zero, height, zero], 1)], 1)
    grid = functional.affine_grid(rows, [len(pixels), 1, *pixels.shape[1:]], align_corners=False)
    cropped = functional.grid_sample(pixels.float().unsqueeze(1), grid, align_corners=False, padding_mode="border")
    return cropped.squeeze(1).round().to(torch.uint8)


def _tones(pixels: Tensor) -> Tensor:
    counts = torch.stack([torch.bincount(image.flatten().int(), minlength=256) for image in pixels])
    return counts.cumsum(1) / pixels[0].numel()


def _match_tones(pixels: Tensor, tones: Tensor, share: Tensor) -> Tensor:
    """Each gray value of uint8 (N, H, W) goes `share` of the way to the value as frequent in `tones`; float 0..1."""
    matched = torch.searchsorted(tones.contiguous(), _tones(pixels).clamp_max(1 - 1e-6)).clamp_max(255) / 255
    curves = (1 - share) * torch.linspace(0, 1, 256) + share * matched
    return curves.gather(1, pixels.flatten(1).long()).view(pixels.shape)


def _match_spectra(gray: Tensor, spectra: Tensor, share: Tensor) -> Tensor:
    """Scale the finer detail of float (N, H, W) towards the power it has in `spectra`; uint8."""
    transformed = _transform(gray)
    rings = torch.arange(RINGS)
    ramp = ((rings - ANATOMY) / (DETAIL - ANATOMY)).clamp(0, 1)
    exponent = 0.5 * share * ramp * _smooth(spectra - _log_power(transformed))
    gain = exponent.clamp(-math.log(MAX_GAIN), math.log(MAX_GAIN)).exp()
    scaled: Tensor = torch.fft.irfft2(transformed * gain[:, _rings()], s=(SIDE, SIDE))
    top, left = ((SIDE - side) // 2 for side in gray.shape[1:])
    inner = scaled[:, top : top + gray.shape[1], left : left + gray.shape[2]]
    return inner.clamp(0, 1).mul(255).round().to(torch.uint8)


def _transform(gray: Tensor) -> Tensor:
    """The spectrum (N, SIDE, SIDE / 2 + 1) of (N, H, W), its borders mirrored."""
    height, width = gray.shape[1:]
    top, left = (SIDE - height) // 2, (SIDE - width) // 2
    padding = (left, SIDE - width - left, top, SIDE - height - top)
    transformed: Tensor = torch.fft.rfft2(functional.pad(gray.unsqueeze(1), padding, mode="reflect").squeeze(1))
    return transformed


def _log_power(transformed: Tensor) -> Tensor:
    """Log of the mean power (N, RINGS) in each ring."""
    rings = _rings().flatten()
    power = transformed.abs().square().flatten(1)
    total = torch.zeros(len(power), RINGS).index_add_(1, rings, power)
    return (total / torch.bincount(rings, minlength=RINGS) + 1e-6).log()


@lru_cache(maxsize=1)
def _rings() -> Tensor:
    down, across = torch.fft.fftfreq(SIDE) * SIDE, torch.fft.rfftfreq(SIDE) * SIDE
    return torch.hypot(down[:, None], across[None]).long().clamp_max(RINGS - 1)


def _smooth(values: Tensor) -> Tensor:
    """Mean over seven rings, so that single peaks (ribs, grids) leave no ripples."""
    return functional.avg_pool1d(functional.pad(values.unsqueeze(1), (3, 3), mode="replicate"), 7, 1).squeeze(1)
