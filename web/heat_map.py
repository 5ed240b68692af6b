"""The class activation map as a picture to lay over the X-ray: made from stored numbers, no upload is decoded."""

from __future__ import annotations

import io
import math

import numpy as np
from PIL import Image

from imaging.cam import unpack

SIZE_PX = 224
COLOUR = (255, 120, 0)
OPACITY = 0.65
"""Where the map is strongest. The X-ray must be visible through it."""
STRONG = 4.0
"""Logits above the operating point at which a place is drawn with all of `OPACITY`. A weaker map stays pale."""


def render(cam: bytes, threshold: float) -> bytes:
    """A PNG, 224 x 224 RGBA: one colour, the more opaque the more a place speaks for pneumonia.

    Args:
        cam: as `imaging.cam.pack` made it.
        threshold: the operating point, at which a place speaks neither way; places below it are transparent.
    """
    alpha = Image.fromarray(strengths(cam, threshold)).resize((SIZE_PX, SIZE_PX), Image.Resampling.BICUBIC)
    opaque = (np.asarray(alpha).clip(0, 1) * OPACITY * 255).astype(np.uint8)
    picture = Image.new("RGBA", (SIZE_PX, SIZE_PX), (*COLOUR, 0))
    picture.putalpha(Image.fromarray(opaque))
    out = io.BytesIO()
    picture.save(out, "PNG", optimize=True)
    return out.getvalue()


def strengths(cam: bytes, threshold: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """How much each place speaks for pneumonia: float32 (7, 7), 0 to 1, by its logit above the operating point's."""
    above = unpack(cam).astype(np.float32) - _logit(threshold)
    return np.asarray(above.clip(0, None) / max(STRONG, float(above.max())), dtype=np.float32)


def _logit(probability: float) -> float:
    inside = min(max(probability, 1e-6), 1 - 1e-6)
    return math.log(inside / (1 - inside))
