"""A decoded image, before anything is done to it for the network."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imaging import orientation


@dataclass(frozen=True, slots=True)
class Picture:
    """
    Attributes:
        gray: uint8 (H, W), 0 black to 255 white.
        turn: the EXIF orientation by which `gray` is still to be turned.
        as_browsers_show: whether a browser shows the file with these grays.
        scale: by how much each side of `gray` is smaller than the file's.
        narrow: whether its 16 bits use so few levels that it is nearly uniform.
    """

    gray: NDArray[np.uint8]
    turn: int = orientation.UPRIGHT
    as_browsers_show: bool = True
    scale: int = 1
    narrow: bool = False
