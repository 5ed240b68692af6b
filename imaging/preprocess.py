"""The one transform between a decoded image and the network, in training and in screening alike.

Files become upright gray of 8 bits in `imaging.decode`; here a uniform border is cut off (`imaging.trim`) and the rest
resized. The notes beside the result and the preview in place of the file are made here too.

Constants follow the training set: its 224 x 224 copies were made without keeping the aspect ratio, and of
Pillow's filters bilinear comes closest to them (mean difference 1.9 gray levels on the originals, of which JPEG
compression makes up most; bicubic 2.0, Lanczos 2.3, nearest 3.2).
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imaging import orientation, trim
from imaging.decode import picture, upright
from imaging.media import MAX_PIXELS
from imaging.raster.picture import Picture
from imaging.transform import INPUT_PX
from imaging.trim import Box

FILTER = Image.Resampling.BILINEAR
"""Pillow widens the filter when it shrinks, so this is antialiased."""

DECODED_PX = INPUT_PX * 3 // 2
"""A JPEG is decoded no smaller than this before it is resized. On 144 X-rays of 1 to 3 megapixels this moves the
probability by at most 0.025 (99 % of images: 0.019) and no decision; INPUT_PX itself would move it by up to 0.18."""

SMALL_PX = 200
"""Below it on either side a radiograph has lost what the model looks at: at 100 px 0.78 became 0.24."""
_UNIFORM_LEVELS = 16
"""Gray levels between the darkest and the brightest half per cent of a picture that shows something."""
PREVIEW_PX = 1024
"""Longest side of the picture for the page."""
PREVIEW_QUALITY = 88


@dataclass(frozen=True, slots=True)
class Prepared:
    """
    Attributes:
        pixels: uint8 (224, 224), for the network.
        box: the upright picture's size, and the part of it that `pixels` shows.
        notes: sentences on what makes the result less reliable.
        preview: the upright picture as a JPEG; None where a browser shows the file itself alike.
    """

    pixels: NDArray[np.uint8]
    box: Box
    notes: tuple[str, ...] = ()
    preview: bytes | None = None


def preprocess(gray: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Resize gray uint8 (H, W) to uint8 (224, 224). Normalisation happens inside the network."""
    return np.asarray(Image.fromarray(gray).resize((INPUT_PX, INPUT_PX), FILTER), dtype=np.uint8)


def read(data: bytes, *, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
    """The bytes of an image file -> uint8 (224, 224), what every screened and every training image goes through.

    Raises:
        what `imaging.decode.decode` raises.
    """
    return prepare(data, max_pixels=max_pixels, with_preview=False).pixels


def prepare(data: bytes, *, max_pixels: int = MAX_PIXELS, with_preview: bool = True) -> Prepared:
    """As `read`, with the notes and the preview beside the result. A border is cut off before the resize.

    Raises:
        what `imaging.decode.decode` raises.
    """
    stored, gray, box = _decode(data, max_pixels, DECODED_PX)
    if stored.scale > 1 and box.shortest_px < DECODED_PX:  # a border takes so much that the rest would be too small
        at_least_px = -(-DECODED_PX * min(gray.shape) // box.shortest_px)
        stored, gray, box = _decode(data, max_pixels, at_least_px)
    inside = gray[box.top : box.bottom, box.left : box.right]
    shown_alike = stored.as_browsers_show and stored.turn == orientation.UPRIGHT
    preview = None if shown_alike or not with_preview else _preview(gray)
    return Prepared(preprocess(inside), box, _notes(inside, box, narrow=stored.narrow), preview)


def _decode(data: bytes, max_pixels: int, at_least_px: int) -> tuple[Picture, NDArray[np.uint8], Box]:
    """The picture, upright, and the part of it inside its border."""
    stored = picture(data, max_pixels=max_pixels, at_least_px=at_least_px)
    gray = upright(stored)
    return stored, gray, trim.find(gray)


def _notes(inside: NDArray[np.uint8], box: Box, *, narrow: bool) -> tuple[str, ...]:
    """Sentences that suit a result as well as an image that the model refuses."""
    notes = []
    if box.shortest_px < SMALL_PX:
        height_px, width_px = inside.shape
        size = f"{width_px} × {height_px} px" + ("" if box.is_whole else " without its border")
        notes.append(f"The picture is small ({size}), and the model less reliable on it.")
    if narrow or np.ptp(np.percentile(inside[::4, ::4], (0.5, 99.5))) < _UNIFORM_LEVELS:
        notes.append("The picture is nearly uniform, and the model less reliable on it.")
    return tuple(notes)


def _preview(gray: NDArray[np.uint8]) -> bytes:
    image = Image.fromarray(gray)
    image.thumbnail((PREVIEW_PX, PREVIEW_PX))
    out = io.BytesIO()
    image.save(out, "JPEG", quality=PREVIEW_QUALITY)
    return out.getvalue()
