"""Archives with wrong bytes anywhere: they are read, or refused with one of our errors."""

from __future__ import annotations

import io
import tarfile
import tempfile
import zipfile
from contextlib import suppress
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import Permanent
from imaging.archives import open_archive
from tests.testing import factories

PNG = factories.png(size_px=(12, 10))


def a_tar(mode: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:  # type: ignore[call-overload]
        for name in ("größe.png", "a" * 120 + ".png", "README"):
            info = tarfile.TarInfo(name)
            info.size = len(PNG)
            archive.addfile(info, io.BytesIO(PNG))
    return buffer.getvalue()


def a_zip(compression: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name in ("größe.png", "a\\b.png", "README"):
            archive.writestr(name, PNG)
    return buffer.getvalue()


SOUND = [
    *map(a_tar, ("w", "w:gz", "w:bz2", "w:xz")),
    *map(a_zip, (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA)),
]


def read(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder, suppress(Permanent):
        (Path(folder) / "a").write_bytes(data)
        archive = open_archive(Path(folder) / "a", max_bytes=100_000)
        if archive is None:
            return
        try:
            for member in archive.members("a"):
                member.name.encode()
                with suppress(Permanent), member.open() as file:
                    file.read()
        finally:
            archive.close()


@given(data=st.sampled_from(SOUND), changes=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), max_size=8))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_wrong_bytes_raise_nothing_but_our_errors(data: bytes, changes: list[tuple[int, int]]) -> None:
    damaged = bytearray(data)
    for place, value in changes:
        damaged[place % len(damaged)] = value
    read(bytes(damaged))


@given(data=st.sampled_from(SOUND), size=st.integers(0, 10**6))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_cut_archive_raises_nothing_but_our_errors(data: bytes, size: int) -> None:
    read(data[: size % len(data)])
