"""Copies of images for the gate: varied ones of the same kind, and chest X-rays made into what must be refused.

A varied copy looks as another hospital, camera or archive may send the same image. Turning, inverting, cutting and
putting together make of an upright frontal chest X-ray each kind that the gate has to name.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from core.kinds import ImageKind
from imaging import trim
from imaging.preprocess import preprocess
from training.augment.jpeg import recompress

Gray = NDArray[np.uint8]
"""(H, W)."""

CROP = 0.10
"""Most that a varied copy loses at each side, as a share of it."""
TURN_DEGREES = 10.0
QUALITY = (30, 96)
WORDS = ("R", "L", "PORTABLE", "AP", "PORTABLE AP", "SUPINE", "ERECT", "PA", "12:40", "80 kV")


def varied(gray: Gray, rng: np.random.Generator) -> Gray:
    """A copy of the same kind, uint8 (224, 224): field, turn, exposure, sharpness, print, border, compression."""
    gray = _cropped(gray, rng)
    image = Image.fromarray(gray)
    if rng.random() < 0.5:
        corner = 0 if rng.random() < 0.7 else int(np.median(gray))
        image = image.rotate(rng.normal(0, TURN_DEGREES / 2), Image.Resampling.BILINEAR, fillcolor=corner)
    if rng.random() < 0.5:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    image = Image.fromarray(_exposed(np.asarray(image), rng))
    image = _focused(image, rng)
    if rng.random() < 0.3:
        image = _printed(image, rng)
    framed = _framed(np.asarray(image), rng) if rng.random() < 0.3 else np.asarray(image)
    squared = screened(framed)
    return recompress(squared, int(rng.integers(*QUALITY))) if rng.random() < 0.7 else squared


def screened(gray: Gray) -> Gray:
    """What of gray (H, W) the network sees when it is a file, uint8 (224, 224)."""
    box = trim.find(gray)
    return preprocess(gray[box.top : box.bottom, box.left : box.right])


def turned(quarters: int) -> Callable[[Gray, np.random.Generator], Gray]:
    """What turns an image counter-clockwise by so many quarters, after all that happens to an upright one."""
    return lambda gray, rng: np.rot90(varied(gray, rng), quarters).copy()


def inverted(gray: Gray, rng: np.random.Generator) -> Gray:
    return 255 - varied(gray, rng)


def part(gray: Gray, rng: np.random.Generator) -> Gray:
    """Half a chest, or one whose upper or lower part is cut off, or whose middle alone is left."""
    height, width = gray.shape
    left, right, top, bottom = 0.0, 0.0, 0.0, 0.0
    which = rng.integers(5)
    if which < 2:
        cut = rng.uniform(0.40, 0.55)
        left, right = (cut, 0.0) if which else (0.0, cut)
    elif which < 4:
        cut = rng.uniform(0.33, 0.5)
        top, bottom = (cut, 0.0) if which == 3 else (0.0, cut)
    else:
        left, right, top, bottom = rng.uniform(0.2, 0.3, 4)
    rows = slice(round(top * height), round((1 - bottom) * height))
    return varied(gray[rows, round(left * width) : round((1 - right) * width)], rng)


def several(images: Sequence[Gray], rng: np.random.Generator) -> Gray:
    """Two to six films in one picture, in a row or a grid, with or without a gap."""
    rows, columns = [(1, 2), (1, 2), (1, 2), (2, 1), (2, 2), (2, 2), (1, 3), (2, 3)][rng.integers(8)]
    gap = int(rng.choice([0, 2, 8, 16]))
    ground = int(rng.choice([0, 0, 255, 40]))
    height, width = int(rng.integers(180, 280)), int(rng.integers(160, 280))
    sheet = np.full((rows * height + (rows - 1) * gap, columns * width + (columns - 1) * gap), ground, np.uint8)
    for number in range(rows * columns):
        film = Image.fromarray(varied(images[int(rng.integers(len(images)))], rng))
        least = 1.0 if rng.random() < 0.6 else 0.75
        size = [max(1, round(side * rng.uniform(least, 1))) for side in (width, height)]
        top = number // columns * (height + gap) + (height - size[1]) // 2
        left = number % columns * (width + gap) + (width - size[0]) // 2
        sheet[top : top + size[1], left : left + size[0]] = np.asarray(film.resize((size[0], size[1])))
    return screened(sheet)


SPOILT: dict[ImageKind, Callable[[Gray, np.random.Generator], Gray]] = {
    ImageKind.TURNED_LEFT: turned(1),
    ImageKind.TURNED_RIGHT: turned(3),
    ImageKind.UPSIDE_DOWN: turned(2),
    ImageKind.NEGATIVE: inverted,
    ImageKind.PART: part,
}
"""By kind, what makes a copy, uint8 (224, 224), of one frontal image that must be refused as that kind."""


def _cropped(gray: Gray, rng: np.random.Generator) -> Gray:
    height, width = gray.shape
    most = CROP if rng.random() < 0.6 else 0.03
    top, bottom = (rng.uniform(0, most, 2) * height).astype(int)
    left, right = (rng.uniform(0, most, 2) * width).astype(int)
    return gray[top : height - bottom, left : width - right]


def _exposed(gray: Gray, rng: np.random.Generator) -> Gray:
    unit = (gray / 255) ** math.exp(rng.uniform(-0.5, 0.5))
    unit = (unit - 0.5) * rng.uniform(0.65, 1.25) + 0.5 + rng.uniform(-0.1, 0.1)
    return np.asarray(unit.clip(0, 1) * 255, dtype=np.uint8)


def _focused(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Sharper, as files at full size once scaled down; or less sharp; or as it is."""
    drawn = rng.random()
    if drawn < 0.4:
        return image.filter(ImageFilter.UnsharpMask(1, int(rng.uniform(30, 150)), 0))
    if drawn < 0.7:
        share = rng.uniform(0.35, 0.9)
        small = image.resize([max(1, round(side * share)) for side in image.size], Image.Resampling.BILINEAR)
        return small.resize(image.size, Image.Resampling.BILINEAR)
    return image


def _printed(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """One to four words at random places near the edges."""
    image = image.copy()
    draw = ImageDraw.Draw(image)
    for _ in range(rng.integers(1, 5)):
        font = ImageFont.load_default(max(6, round(min(image.size) * rng.uniform(0.04, 0.1))))
        across, down = rng.uniform(0.02, 0.8), rng.choice([rng.uniform(0.02, 0.2), rng.uniform(0.75, 0.92)])
        place = (across * image.width, float(down) * image.height)
        draw.text(place, str(rng.choice(WORDS)), fill=int(rng.choice([255, 230, 200, 0])), font=font)
    return image


def _framed(gray: Gray, rng: np.random.Generator) -> Gray:
    """In a border at two sides or at all: black with the noise of a detector, which stays, or one gray, which goes."""
    height, width = gray.shape
    sides = np.array([1, 1, 0, 0] if rng.random() < 0.4 else [0, 0, 1, 1] if rng.random() < 0.5 else [1, 1, 1, 1])
    top, bottom, left, right = (sides * rng.uniform(0.01, 0.12, 4) * (height, height, width, width)).astype(int)
    level, noise = (0, 0.0) if rng.random() < 0.3 else (int(rng.integers(0, 30)), rng.uniform(0, 8))
    frame = rng.normal(level, noise, (height + top + bottom, width + left + right)).clip(0, 255).astype(np.uint8)
    frame[top : top + height, left : left + width] = gray
    return frame
