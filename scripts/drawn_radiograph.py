"""A frontal chest X-ray that was never taken: drawn from ellipses, and marked as drawn."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

WIDTH_PX, HEIGHT_PX = 1240, 1060
Gray = NDArray[np.float64]


def jpeg(seed: int, *, opacity: float = 0.0) -> bytes:
    """Another one for each seed. `opacity` (0..1) is how dense a shadow lies in the lower lung on the right side."""
    chance = np.random.default_rng(seed)
    y, x = np.mgrid[-1 : 1 : HEIGHT_PX * 1j, -1 : 1 : WIDTH_PX * 1j]
    x = x * chance.uniform(0.95, 1.05)
    body = _edge(0.72 + 0.1 * y - np.abs(x), 0.04) * _edge(y + 0.85 - 0.25 * np.abs(x), 0.05)
    gray = 0.5 * body
    gray -= 0.36 * np.sum([_ellipse(x, y, side * 0.36, -0.08, 0.27, 0.58) for side in (-1, 1)], axis=0)
    gray += _ribs(x, y) * body
    gray += 0.26 * np.exp(-((x / 0.09) ** 2)) * body
    gray += 0.18 * _ellipse(x, y, 0.12, 0.28, 0.26, 0.3)
    gray += 0.22 * _edge(y - 0.5 + 0.12 * np.cos(3.2 * x), 0.05) * body
    gray += 0.3 * opacity * np.exp(-(((x - 0.4) / 0.17) ** 2) - ((y - 0.25) / 0.15) ** 2)
    return _encode(gray, chance)


def _edge(distance: Gray, softness: float) -> Gray:
    """1 where `distance` is positive, 0 where it is negative."""
    return 1 / (1 + np.exp(-np.clip(distance / softness, -50, 50)))


def _ellipse(x: Gray, y: Gray, left: float, top: float, width: float, height: float) -> Gray:
    return _edge(1 - np.hypot((x - left) / width, (y - top) / height), 0.06)


def _ribs(x: Gray, y: Gray) -> Gray:
    """Eight pairs, each falling off to the side."""
    middles = np.linspace(-0.68, 0.5, 8)
    slope = 0.28 * np.abs(x) ** 1.6
    shadows: Gray = np.sum([np.exp(-(((y - middle - slope) / 0.022) ** 2)) for middle in middles], axis=0)
    return 0.11 * shadows * _edge(np.abs(x) - 0.08, 0.02)


def _encode(gray: Gray, chance: np.random.Generator) -> bytes:
    grain = chance.normal(0, 0.004, (HEIGHT_PX // 4, WIDTH_PX // 4))
    coarse = Image.fromarray(grain.astype(np.float32)).resize((WIDTH_PX, HEIGHT_PX), Image.Resampling.BICUBIC)
    pixels = np.clip((gray + np.asarray(coarse) * (gray > 0.05)) * 255, 0, 255).astype(np.uint8)
    image = Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(1))
    draw = ImageDraw.Draw(image)
    draw.text((60, 60), "R", 230, ImageFont.load_default(48))
    draw.text((60, 120), "DRAWN, NO PATIENT", 230, ImageFont.load_default(20))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=90)
    return buffer.getvalue()
