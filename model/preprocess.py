"""The one transform between a decoded image and the network, in training and in screening alike.

Constants follow the training set: its 224 x 224 copies were made without keeping the aspect ratio, and of
Pillow's filters bilinear comes closest to them (mean difference 1.9 gray levels on the originals, of which JPEG
compression makes up most; bicubic 2.0, Lanczos 2.3, nearest 3.2).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.media import MAX_PIXELS
from model.decode import decode

SIZE = 224
"""Side of the network's input, in pixels."""

FILTER = Image.Resampling.BILINEAR
"""Pillow widens the filter when it shrinks, so this is antialiased."""

DECODED_PX = SIZE * 3 // 2
"""A JPEG is decoded no smaller than this before it is resized. On 144 X-rays of 1 to 3 megapixels this moves the
probability by at most 0.025 (99 % of images: 0.019) and no decision; SIZE itself would move it by up to 0.18."""

DESCRIPTION = f"gray, {SIZE} x {SIZE}, antialiased bilinear, aspect ratio not kept"
"""Recorded in each checkpoint's card; a checkpoint made with another transform is refused."""


def preprocess(gray: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Resize gray uint8 (H, W) to uint8 (224, 224). Normalisation happens inside the network."""
    return np.asarray(Image.fromarray(gray).resize((SIZE, SIZE), FILTER), dtype=np.uint8)


def read(data: bytes, *, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
    """The bytes of an image file -> uint8 (224, 224), what every screened and every training image goes through.

    Raises:
        what `model.decode.decode` raises.
    """
    return preprocess(decode(data, max_pixels=max_pixels, at_least_px=DECODED_PX))
