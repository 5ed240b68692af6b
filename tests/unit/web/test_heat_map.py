"""The picture of a map: opaque where much speaks for pneumonia, else transparent."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from imaging.cam import pack
from web import heat_map


def cells(value: float = 0.0, **at: float) -> bytes:
    """A map of one value, but for `r<row>c<column>`."""
    cam = np.full((7, 7), value, np.float16)
    for name, strength in at.items():
        cam[int(name[1]), int(name[3])] = strength
    return pack(cam)


def alpha(cam: bytes, threshold: float = 0.5) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    picture = Image.open(io.BytesIO(heat_map.render(cam, threshold)))
    assert (picture.format, picture.mode, picture.size) == ("PNG", "RGBA", (224, 224))
    return np.asarray(picture)[:, :, 3]


def test_a_strong_cell_is_opaque_where_it_lies() -> None:
    opacity = alpha(cells(r1c5=4.0))
    assert opacity[48, 176] > 0.9 * 255 * heat_map.OPACITY
    assert opacity[200, 20] == 0


@pytest.mark.parametrize("value", [0.0, -5.0])
def test_what_does_not_speak_for_pneumonia_is_transparent(value: float) -> None:
    assert alpha(cells(value)).max() == 0
