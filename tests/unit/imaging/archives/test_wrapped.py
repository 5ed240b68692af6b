"""Zip archives of more than 4 GB as macOS writes them."""

from __future__ import annotations

import struct
import zipfile
import zlib
from contextlib import closing
from pathlib import Path

import pytest

from core.errors import CorruptImage
from imaging.archives.zips import ZipArchive

WRAP = 2**32


def macos_zip(path: Path, files: list[tuple[int, bytes, bytes]]) -> Path:
    """Stored files, each (place, name, data), with holes between them and every place written modulo 2^32."""
    directory = b""
    with path.open("wb") as file:
        for place, name, data in files:
            crc, size = zlib.crc32(data), len(data)
            file.seek(place)
            file.write(struct.pack("<4s5H3L2H", b"PK\x03\x04", 20, 0, 0, 0, 0, crc, size, size, len(name), 0))
            file.write(name + data)
            facts = (0x315, 20, 0, 0, 0, 0, crc, size, size, len(name), 0, 0, 0, 0, 0, place % WRAP)
            made = struct.pack("<4s6H3L5H2L", b"PK\x01\x02", *facts)
            directory += made + name
        start = file.tell()
        file.write(directory)
        count = len(files)
        file.write(struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, count, count, len(directory), start % WRAP, 0))
    return path


def contents(path: Path) -> dict[str, bytes]:
    read = {}
    with closing(ZipArchive(path, max_bytes=1000)) as archive:
        for member in archive.members(""):
            with member.open() as file:
                read[member.name] = file.read()
    return read


@pytest.mark.parametrize(
    "places",
    [
        (0, 1000, WRAP + 500),
        (0, WRAP - 10, WRAP + 500),
        (0, WRAP + 1000, 3 * WRAP + 7),
    ],
)
def test_every_file_is_found(tmp_path: Path, places: tuple[int, ...]) -> None:
    files = [(place, b"%d.png" % number, b"data of %d" % number) for number, place in enumerate(places)]

    assert contents(macos_zip(tmp_path / "a.zip", files)) == {name.decode(): data for _, name, data in files}


def test_an_entry_that_is_nowhere_is_damage(tmp_path: Path) -> None:
    path = macos_zip(tmp_path / "a.zip", [(0, b"a.png", b"a"), (WRAP + 500, b"b.png", b"b")])
    with path.open("r+b") as file:
        file.seek(WRAP + 500)
        file.write(b"gone")

    with pytest.raises(CorruptImage, match="damaged"):
        ZipArchive(path, max_bytes=1000)


def test_a_zip_behind_a_program_is_left_as_it_is(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.png", b"a")
    data = (tmp_path / "a.zip").read_bytes()
    (tmp_path / "a.zip").write_bytes(b"PK\x03\x04 a program" + data)

    assert contents(tmp_path / "a.zip") == {"a.png": b"a"}
