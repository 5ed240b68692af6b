"""Images through JPEG."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from training.augment import jpeg

GRAY = np.random.default_rng(0).integers(0, 256, (24, 32), dtype=np.uint8)


def test_encode_gives_a_gray_jpeg() -> None:
    image = Image.open(io.BytesIO(jpeg.encode(GRAY, 80)))
    assert (image.format, image.mode, image.size) == ("JPEG", "L", (32, 24))


def test_recompressed_differs_more_at_a_lower_quality_and_can_be_written_to() -> None:
    fine, coarse = jpeg.recompress(GRAY, 95), jpeg.recompress(GRAY, 20)
    assert np.abs(fine.astype(int) - GRAY).mean() < np.abs(coarse.astype(int) - GRAY).mean()
    fine[0, 0] = 7
    assert fine.dtype == np.uint8
