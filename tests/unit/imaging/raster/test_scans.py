"""The share of coefficients that came, from headers alone: the starts of frame and scan of ITU-T T.81."""

from __future__ import annotations

import pytest

from imaging.raster import scans

BASELINE, PROGRESSIVE, LOSSLESS = 0xC0, 0xC2, 0xC3
FRAME = bytes([8, 0, 16, 0, 16, 3, 1, 0x11, 0, 2, 0x11, 1, 3, 0x11, 1])


def scan(*components: int, first: int = 0, last: int = 63, bits: int = 0) -> bytes:
    return bytes([len(components), *(byte for one in components for byte in (one, 0)), first, last, bits])


@pytest.mark.parametrize("frame", [BASELINE, PROGRESSIVE])
def test_a_component_without_a_scan_is_missing(frame: int) -> None:
    assert scans.share(frame, FRAME, [scan(1), scan(2)]) == pytest.approx(2 / 3)
    assert scans.share(frame, FRAME, [scan(1), scan(2), scan(3)]) == 1
    assert scans.share(frame, FRAME, [scan(1, 2, 3)]) == 1


def test_a_band_that_never_came_is_missing() -> None:
    assert scans.share(PROGRESSIVE, FRAME, [scan(1, 2, 3, last=0), scan(1, first=1)]) == pytest.approx(66 / 192)


def test_bits_that_are_never_refined_are_missing() -> None:
    rough = scan(1, 2, 3, bits=0x02)
    assert scans.share(PROGRESSIVE, FRAME, [rough]) == pytest.approx(0.25)
    assert scans.share(PROGRESSIVE, FRAME, [rough, scan(1, 2, 3, bits=0x21)]) == pytest.approx(0.5)
    assert scans.share(PROGRESSIVE, FRAME, [rough, scan(1, 2, 3, bits=0x21), scan(1, 2, 3, bits=0x10)]) == 1


def test_of_a_lossless_jpeg_a_scan_of_each_component_is_all() -> None:
    assert scans.share(LOSSLESS, FRAME, [scan(1, 2, 3, first=1, last=0, bits=2)]) == 1
    assert scans.share(LOSSLESS, FRAME, [scan(1, 2, first=1, last=0)]) == pytest.approx(2 / 3)
