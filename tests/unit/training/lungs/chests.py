"""Drawn chests whose lungs are known."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

SIDE_PX = 224
LEFT = [(92, 40), (104, 60), (102, 110), (106, 168), (80, 160), (42, 182), (38, 130), (50, 75), (72, 46)]
RIGHT = [
    (136, 40),
    (122, 60),
    (124, 96),
    (146, 140),
    (150, 162),
    (170, 162),
    (190, 182),
    (192, 130),
    (180, 75),
    (156, 46),
]


def chest(seed: int = 0, *, lungs: bool = True) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """A image uint8 (224, 224) and the mask of its lungs: a bright body on black, with two dark fields in it."""
    rng = np.random.default_rng(seed)
    across, down = rng.integers(-6, 7, 2).tolist()
    mask = Image.new("L", (SIDE_PX, SIDE_PX))
    for outline in (LEFT, RIGHT) if lungs else ():
        ImageDraw.Draw(mask).polygon([(x + across, y + down) for x, y in outline], fill=255)
    image = Image.new("L", (SIDE_PX, SIDE_PX), 15)
    ImageDraw.Draw(image).rectangle((12, 20, 212, 224), fill=170)
    ImageDraw.Draw(image).rectangle((84, 0, 140, 30), fill=170)
    image.paste(70, mask=mask)
    pixels = np.asarray(image.filter(ImageFilter.GaussianBlur(2)), dtype=np.float32)
    noisy = pixels + rng.normal(0, 6, pixels.shape)
    return noisy.clip(0, 255).astype(np.uint8), np.asarray(mask) > 0
