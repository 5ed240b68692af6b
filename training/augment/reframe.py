"""Copies of images as a scanner, or a person who crops, would have framed them."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image

TURN_DEGREES = (2.0, 6.0)
CROP_A_SIDE = (0.04, 0.1)


def reframe(pixels: NDArray[np.uint8], seed: int) -> NDArray[np.uint8]:
    """Copies of uint8 (N, H, W), half of them turned by 2 to 6 degrees with black corners, the others cropped by 4 to
    10 % a side; which ones is drawn by `seed`.
    """
    generator = np.random.default_rng(seed)
    copies = np.empty_like(pixels)
    for number, image in enumerate(pixels):
        change = _turned if generator.random() < 0.5 else _cropped
        copies[number] = change(image, generator)
    return copies


def _turned(pixels: NDArray[np.uint8], generator: Generator) -> NDArray[np.uint8]:
    degrees = generator.uniform(*TURN_DEGREES) * generator.choice((-1, 1))
    return np.asarray(Image.fromarray(pixels).rotate(degrees, Image.Resampling.BILINEAR, fillcolor=0))


def _cropped(pixels: NDArray[np.uint8], generator: Generator) -> NDArray[np.uint8]:
    height, width = pixels.shape
    left, top, right, bottom = generator.uniform(*CROP_A_SIDE, size=4)
    box = (left * width, top * height, (1 - right) * width, (1 - bottom) * height)
    return np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.BILINEAR, box=box))
