"""The X-rays that are measured with."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks import decode, images
from tests.testing import factories


@pytest.mark.parametrize("make", [factories.jpeg, factories.png])
def test_distinct_files_differ_in_bytes_and_not_in_pixels(make: object) -> None:
    assert callable(make)
    original = make(1)
    one, two = images.distinct(original, "a"), images.distinct(original, "b")

    assert len({original, one, two}) == 3
    for data in (one, two):
        assert np.array_equal(decode.ours(data), decode.ours(original))
        assert np.array_equal(decode.plain(data), decode.plain(original))


def test_a_stream_repeats_images_and_never_bytes(tmp_path: Path) -> None:
    for seed in range(3):
        (tmp_path / f"{seed}.jpg").write_bytes(factories.jpeg(seed))
    (tmp_path / "readme.txt").write_text("no image")
    loaded = images.load(tmp_path)

    hashes = [hashlib.sha256(data).hexdigest() for _, data in loaded.stream(7, "x")]

    assert len(loaded.files) == 3
    assert len(set(hashes)) == 7
    assert hashes == [hashlib.sha256(data).hexdigest() for _, data in loaded.stream(7, "x")]
    assert loaded.source == f"3 files of {tmp_path.name}"


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no JPEG or PNG"):
        images.load(tmp_path)


def test_without_the_originals_images_are_made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(images, "ORIGINALS", tmp_path / "none")
    monkeypatch.setattr(images, "MADE", 2)

    loaded = images.load(None)

    assert "made X-rays" in loaded.source
    assert {Image.open(io.BytesIO(data)).size for data in loaded.files} == set(images.MADE_PX)
    assert {decode.ours(data).shape for data in loaded.files} == {(224, 224)}
