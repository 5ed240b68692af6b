"""Files that a hospital may send instead of one radiograph: turned, cut, framed, printed on, stored otherwise.

Each function takes gray uint8 (H, W) and returns gray uint8 of the new size. `VARIANTS` makes files of them, since what
the service gets is a file: PNG, which loses nothing, unless the variant is about the format.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from benchmarks.bit_depths import KINDS, as_png
from imaging.transform import INPUT_PX
from training.augment import jpeg

Gray = NDArray[np.uint8]
"""(H, W)."""

Fill = Literal["black", "mirrored"]
FILLS: tuple[Fill, ...] = ("black", "mirrored")

SHIFT_PX = 8
"""Of a picture of `INPUT_PX`; larger ones are shifted by the same share."""
LETTER_SHARE = 0.06
"""Height of letters, of the shorter side."""
FILM_ASPECT = 4 / 3
MONTGOMERY_PX = (4020, 4892)
"""Width and height of the pictures of the Montgomery set, whose films are as high as the picture or as wide."""


class Expected(StrEnum):
    """What a model should do with a variant, against the image as it is."""

    SAME = "same answer"
    REFUSED = "refused"
    EITHER = "either"


@dataclass(frozen=True)
class Variant:
    """`make` gets four images (H, W), the first of which is the one in question, and returns a file."""

    name: str
    expected: Expected
    make: Callable[[Sequence[Gray]], bytes]


def turned(gray: Gray, degrees: float, fill: Fill) -> Gray:
    """Turn counter-clockwise within the same frame; the corners that come in are black or mirror the image."""
    height, width = gray.shape
    if fill == "black":
        return _rotated(gray, degrees)
    margin = math.ceil(math.sin(math.radians(abs(degrees))) * max(gray.shape))
    padded = np.pad(gray, min(margin, min(gray.shape) - 1), mode="reflect")
    top, left = (padded.shape[0] - height) // 2, (padded.shape[1] - width) // 2
    return _rotated(padded, degrees)[top : top + height, left : left + width]


def shifted(gray: Gray, fill: Literal["constant", "edge"]) -> Gray:
    """Shift to the right and down; what comes in is black (`constant`) or continues the edge."""
    down, right = (max(1, round(SHIFT_PX / INPUT_PX * side)) for side in gray.shape)
    return np.pad(gray, ((down, 0), (right, 0)), mode=fill)[: gray.shape[0], : gray.shape[1]]


def cropped(gray: Gray, top: float = 0, bottom: float = 0, left: float = 0, right: float = 0) -> Gray:
    """Cut off shares of the height and of the width."""
    height, width = gray.shape
    return gray[round(top * height) : round((1 - bottom) * height), round(left * width) : round((1 - right) * width)]


def framed(gray: Gray, level: int, across: float, down: float) -> Gray:
    """Add a border of one gray: `across` of the width at the left and right, `down` of the height above and below."""
    height, width = gray.shape
    sides = ((round(down * height),) * 2, (round(across * width),) * 2)
    return np.pad(gray, sides, constant_values=level)


def printed(gray: Gray, words: dict[str, tuple[float, float]]) -> Gray:
    """Print white words, each centred at a share of the width and of the height."""
    image = Image.fromarray(gray.copy())
    font = ImageFont.load_default(max(8, round(LETTER_SHARE * min(gray.shape))))
    for word, (across, down) in words.items():
        place = (across * image.width, down * image.height)
        ImageDraw.Draw(image).text(place, word, fill=255, font=font, anchor="mm")
    return np.asarray(image)


def exposed(gray: Gray, gamma: float) -> Gray:
    """Another tone curve; below 1 it is brighter."""
    return np.rint(255 * (gray / 255) ** gamma).astype(np.uint8)


def sized(gray: Gray, longest_px: int) -> Gray:
    """The same image with that longer side."""
    factor = longest_px / max(gray.shape)
    width, height = (max(1, round(side * factor)) for side in gray.shape[::-1])
    return np.asarray(Image.fromarray(gray).resize((width, height), Image.Resampling.BICUBIC))


def stretched(gray: Gray) -> Gray:
    """A square of `INPUT_PX`, whatever the shape was."""
    return np.asarray(Image.fromarray(gray).resize((INPUT_PX, INPUT_PX), Image.Resampling.BILINEAR))


def sheet(films: Sequence[Gray], columns: int) -> Gray:
    """Films in rows of `columns`, each as large as the first one."""
    height, width = films[0].shape
    alike = [np.asarray(Image.fromarray(film).resize((width, height))) for film in films]
    return np.vstack([np.hstack(alike[start : start + columns]) for start in range(0, len(alike), columns)])


def _rotated(gray: Gray, degrees: float) -> Gray:
    return np.asarray(Image.fromarray(gray).rotate(degrees, Image.Resampling.BILINEAR, fillcolor=0))


def _of(name: str, change: Callable[[Gray], Gray], expected: Expected = Expected.SAME) -> Variant:
    return Variant(name, expected, lambda films: as_png(change(films[0])))


CORNERS = {"R": (0.06, 0.06), "80 kV": (0.88, 0.06), "SUPINE": (0.13, 0.94), "12:40": (0.89, 0.94)}
PORTABLE = {"PORTABLE AP": (0.5, 0.05)}
OVER_LUNGS = {"PORTABLE": (0.3, 0.4), "12:40:07": (0.7, 0.5)}
MARGIN = (MONTGOMERY_PX[1] / MONTGOMERY_PX[0] - 1) / 2
"""Of the film's width at each side, so that film and margins are as wide to each other as those of Montgomery."""

VARIANTS = (
    _of("mirrored", lambda gray: gray[:, ::-1]),
    *(
        _of(f"turned by {degrees:+d} degrees, {fill} corners", partial(turned, degrees=degrees, fill=fill))
        for fill in FILLS
        for degrees in (5, -5, 10, -10)
    ),
    _of("shifted by 8 px, black", lambda gray: shifted(gray, "constant")),
    _of("shifted by 8 px, edge", lambda gray: shifted(gray, "edge")),
    *(
        _of(f"cropped by {share:.0%} a side", partial(cropped, top=share, bottom=share, left=share, right=share))
        for share in (0.05, 0.1, 0.15)
    ),
    _of("lower 30 % cut off", partial(cropped, bottom=0.3), Expected.EITHER),
    _of("upper 30 % cut off", partial(cropped, top=0.3), Expected.EITHER),
    _of("left half alone", partial(cropped, right=0.5), Expected.REFUSED),
    _of("right half alone", partial(cropped, left=0.5), Expected.REFUSED),
    *(_of(f"white border, {share:.0%}", partial(framed, level=255, across=share, down=share)) for share in (0.05, 0.1)),
    *(
        _of(f"black border, {share:.0%}", partial(framed, level=0, across=share, down=share))
        for share in (0.05, 0.1, 0.2)
    ),
    _of("4:3 film padded to a black square", partial(framed, level=0, across=0, down=(FILM_ASPECT - 1) / 2)),
    _of("black side margins of Montgomery", partial(framed, level=0, across=MARGIN, down=0)),
    _of("text in four corners", partial(printed, words=CORNERS)),
    _of("text PORTABLE AP", partial(printed, words=PORTABLE)),
    _of("text over the lungs", partial(printed, words=OVER_LUNGS)),
    *(_of(f"gamma {gamma:g}", partial(exposed, gamma=gamma)) for gamma in (0.7, 1.4)),
    Variant("JPEG, quality 50", Expected.SAME, lambda films: jpeg.encode(films[0], 50)),
    Variant("PNG, 16 bit", Expected.SAME, lambda films: as_png(KINDS["16 bit"].deep(films[0]))),
    Variant(
        "PNG, 16 bit, 12 of them partly filled",
        Expected.SAME,
        lambda films: as_png(KINDS["12 bit, up to 0.7 of it"].deep(films[0])),
    ),
    *(_of(f"{side_px} px", partial(sized, longest_px=side_px)) for side_px in (100, 400, 1000, 2000)),
    _of("224 px square", stretched),
    _of("turned left", lambda gray: np.rot90(gray).copy(), Expected.REFUSED),
    _of("turned right", lambda gray: np.rot90(gray, 3).copy(), Expected.REFUSED),
    _of("upside down", lambda gray: np.rot90(gray, 2).copy(), Expected.REFUSED),
    _of("negative", lambda gray: 255 - gray, Expected.REFUSED),
    Variant("two side by side", Expected.REFUSED, lambda films: as_png(sheet(films[:2], 2))),
    Variant("four on a sheet", Expected.REFUSED, lambda films: as_png(sheet(films[:4], 2))),
)
"""All of them, in the order of the table."""
