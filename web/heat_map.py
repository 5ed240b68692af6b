"""The class activation map as a picture to lay over the X-ray: made from stored numbers, no upload is decoded."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from imaging.cam import tint, unpack

COLOUR = (255, 120, 0)
OPACITY = 0.65
"""Where the map is strongest. The X-ray must be visible through it."""


def render(cam: bytes, threshold: float) -> bytes:
    """A PNG, 224 x 224 RGBA: one colour, the more opaque the more a place speaks for pneumonia; transparent all over
    where the map points nowhere (`imaging.cam.points`).

    Args:
        cam: as `imaging.cam.pack` made it.
        threshold: the operating point, at which a place is neutral.
    """
    opaque = (tint(unpack(cam), threshold) * OPACITY * 255).astype(np.uint8)
    picture = Image.new("RGBA", opaque.shape[::-1], (*COLOUR, 0))
    picture.putalpha(Image.fromarray(opaque))
    out = io.BytesIO()
    picture.save(out, "PNG", optimize=True)
    return out.getvalue()
