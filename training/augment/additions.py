"""What is added to a film beside the anatomy, to both classes alike: black margins, and print."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from torch import Generator, Tensor

Choice = TypeVar("Choice")

WORDS = ("R", "L", "R", "L", "AP", "PORTABLE", "PORTABLE AP", "SUPINE", "SITTING", "ERECT", "80 kV", "70 kV 2 mAs")
FONT_PX = (9, 13, 18, 26)
DARKEST_PRINT = 150


def cover_margin(pixels: Tensor, side_share: tuple[float, float], generator: Generator) -> None:
    """Make one to four edges of uint8 (H, W) black, each as wide as a share of the side, in place."""
    gray = int(torch.randint(0, 8, (), generator=generator))
    edges = torch.rand(4, generator=generator) < 0.5
    edges[int(torch.randint(4, (), generator=generator))] = True
    for number in torch.nonzero(edges)[:, 0].tolist():
        share = float(torch.empty(()).uniform_(*side_share, generator=generator))
        sideways = pixels.T if number % 2 else pixels  # views, unlike what flip and rot90 give
        width = max(1, round(share * len(sideways)))
        sideways[slice(width) if number < 2 else slice(-width, None)] = gray


def print_word(pixels: Tensor, generator: Generator) -> None:
    """Print a word near one of the corners of uint8 (H, W), in place: a side marker, what the device adds."""
    stencil = _stencil(_one_of(WORDS, generator), _one_of(FONT_PX, generator))
    height, width = pixels.shape
    tall, wide = min(stencil.shape[0], height // 2), min(stencil.shape[1], width // 2)
    down, across = (int(torch.randint(side // 6, (), generator=generator)) for side in (height, width))
    top = down if torch.rand((), generator=generator) < 0.5 else height - tall - down
    left = across if torch.rand((), generator=generator) < 0.5 else width - wide - across
    place = pixels[top : top + tall, left : left + wide]
    ink = float(torch.randint(DARKEST_PRINT, 256, (), generator=generator))
    cover = torch.from_numpy(stencil[:tall, :wide]).float() / 255
    place.copy_((place.float() * (1 - cover) + ink * cover).round().to(torch.uint8))


def _one_of(choices: Sequence[Choice], generator: Generator) -> Choice:
    return choices[int(torch.randint(len(choices), (), generator=generator))]


@lru_cache(maxsize=len(WORDS) * len(FONT_PX))
def _stencil(word: str, font_px: int) -> NDArray[np.uint8]:
    """Where ink goes: uint8 (H, W), 255 for all of it."""
    font = ImageFont.load_default(font_px)
    left, top, right, bottom = (round(edge) for edge in font.getbbox(word))
    image = Image.new("L", (right - left + 2, bottom - top + 2))
    ImageDraw.Draw(image).text((1 - left, 1 - top), word, font=font, fill=255)
    return np.array(image)
