"""Gray images through JPEG, which is what compression leaves of them."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def encode(gray: NDArray[np.uint8], quality: int) -> bytes:
    """Return uint8 (H, W) as a JPEG file."""
    file = io.BytesIO()
    Image.fromarray(gray).save(file, "JPEG", quality=quality)
    return file.getvalue()


def recompress(gray: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    """Return uint8 (H, W) after it was written as JPEG and read again."""
    return np.array(Image.open(io.BytesIO(encode(gray, quality))))
