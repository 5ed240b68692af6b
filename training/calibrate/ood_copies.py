"""Copies of chest X-rays for the domain score: those that must be judged, and those that must be refused.

*Kept* copies look as another hospital may send the same child: cropped, turned a little, another exposure, sharper,
re-encoded. *Spoilt* copies keep the texture of an X-ray and lose what makes it an upright frontal chest.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from imaging.preprocess import preprocess
from training.augment.jpeg import recompress

Gray = NDArray[np.uint8]
"""(H, W)."""

CROP = 0.08
"""Most that a kept copy loses at each side, as a share of it."""
TURN_DEGREES = 5.0
QUALITY = (30, 96)


def kept(gray: Gray, rng: np.random.Generator) -> Gray:
    """One copy, uint8 (224, 224), that must be judged."""
    height, width = gray.shape
    top, bottom = (rng.uniform(0, CROP, 2) * height).astype(int)
    left, right = (rng.uniform(0, CROP, 2) * width).astype(int)
    image = Image.fromarray(preprocess(gray[top : height - bottom, left : width - right]))
    image = image.rotate(rng.uniform(-TURN_DEGREES, TURN_DEGREES), Image.Resampling.BILINEAR)
    if rng.random() < 0.5:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if rng.random() < 0.5:  # files at full size, once scaled down, are sharper than copies that were 224 px before
        image = image.filter(ImageFilter.UnsharpMask(1, int(rng.uniform(30, 150)), 0))
    exposed = _exposed(np.asarray(image), rng)
    return recompress(exposed, int(rng.integers(*QUALITY))) if rng.random() < 0.7 else exposed


def _exposed(gray: Gray, rng: np.random.Generator) -> Gray:
    unit = (gray / 255) ** np.exp(rng.uniform(-0.25, 0.25)) * rng.uniform(0.85, 1.15) + rng.uniform(-0.06, 0.06)
    return np.asarray(unit.clip(0, 1) * 255, dtype=np.uint8)


def _quarter_turn(gray: Gray, rng: np.random.Generator) -> Gray:
    return np.rot90(gray, rng.choice([1, 3])).copy()


def _upside_down(gray: Gray, rng: np.random.Generator) -> Gray:
    return gray[::-1, :: rng.choice([-1, 1])].copy()


def _inverted(gray: Gray, rng: np.random.Generator) -> Gray:
    del rng
    return 255 - gray


def _shuffled(gray: Gray, rng: np.random.Generator) -> Gray:
    """Cut into 4, 16 or 49 squares that are put together in another order."""
    side = int(rng.choice([2, 4, 7]))
    step = len(gray) // side
    squares = gray.reshape(side, step, side, step).swapaxes(1, 2).reshape(-1, step, step)
    mixed = squares[rng.permutation(len(squares))].reshape(side, side, step, step)
    return mixed.swapaxes(1, 2).reshape(gray.shape)


def _part(gray: Gray, rng: np.random.Generator) -> Gray:
    """A quarter to a half of each side, enlarged."""
    size = int(rng.uniform(0.25, 0.5) * len(gray))
    top, left = rng.integers(0, len(gray) - size, 2)
    return preprocess(gray[top : top + size, left : left + size])


SPOILT: dict[str, Callable[[Gray, np.random.Generator], Gray]] = {
    "quarter_turn": _quarter_turn,
    "upside_down": _upside_down,
    "inverted": _inverted,
    "shuffled": _shuffled,
    "part": _part,
}
"""By name, what makes a copy, uint8 (224, 224), of one of that size, that must be refused."""
