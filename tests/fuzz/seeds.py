"""What fuzzing starts from: a small file of each kind that the decoder tells apart, all of them synthetic."""

from __future__ import annotations

import numpy as np
from PIL import Image

from tests.testing import hostile

SIDE_PX = 24
PNG_MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")
JPEG_MODES = ("L", "RGB", "CMYK")


def picture(mode: str, seed: int = 0) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (SIDE_PX, SIDE_PX - 8, 3), dtype=np.uint8)
    if mode == "I;16":
        return Image.fromarray(pixels[..., 0].astype(np.uint16) * 16)
    return Image.fromarray(pixels).convert(mode)


def seeds() -> list[bytes]:
    """About thirty files of at most a few kilobytes."""
    exif = Image.Exif()
    exif[hostile.ORIENTATION] = 6
    exif[0x010F] = "a maker"
    pngs = [hostile.encode(picture(mode), "PNG") for mode in PNG_MODES]
    jpegs = [hostile.encode(picture(mode), "JPEG") for mode in JPEG_MODES]
    frames = [picture("L", seed) for seed in (1, 2)]
    return [
        *pngs,
        *jpegs,
        *(hostile.encode(picture(mode), "JPEG", progressive=True) for mode in JPEG_MODES),
        *(hostile.encode(picture("RGB"), "JPEG", subsampling=subsampling) for subsampling in (0, 1, 2)),
        hostile.encode(picture("L"), "JPEG", restart_marker_blocks=1),
        hostile.encode(picture("L"), "JPEG", exif=exif, dpi=(300, 300), comment=b"a comment", icc_profile=b"icc"),
        hostile.encode(picture("L"), "PNG", exif=exif, dpi=(300, 300), icc_profile=b"icc"),
        hostile.encode(picture("P"), "PNG", transparency=3),
        hostile.encode(picture("RGB"), "PNG", transparency=(1, 2, 3)),
        hostile.encode(picture("L"), "PNG", save_all=True, append_images=frames),
        hostile.encode(picture("L"), "MPO", save_all=True, append_images=frames),
        hostile.jpeg_of_scans(3, (16, 16)),
        hostile.lossless_jpeg(16, 24),
        hostile.png_with(hostile.chunk(b"eXIf", hostile.exif_orientation(8))),
        hostile.png_with(hostile.chunk(b"zTXt", b"k\0\0" + b"x\x9c\x03\0\0\0\0\1")),
        jpegs[0] + pngs[0],
        pngs[0] + b"PK\x03\x04",
    ]
