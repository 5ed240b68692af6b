"""Zip archives, the hostile ones too."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from core.errors import CorruptImage, TooLarge, UnsupportedType
from imaging import skipping
from imaging.archives import open_archive
from imaging.archives.members import MAX_NAME_CHARS, SPOOL_BYTES
from imaging.archives.zips import ZipArchive, ZipMember
from tests.testing import factories

MAX_BYTES = 4 * 1024**2


def zipped(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def members(archive: ZipArchive) -> list[ZipMember]:
    return list(archive.members(""))


def read_only_member(path: Path) -> bytes:
    with closing(ZipArchive(path, max_bytes=MAX_BYTES)) as archive:
        (member,) = members(archive)
        with member.open() as file:
            return file.read()


def patched(path: Path, change: dict[int, bytes]) -> Path:
    """Overwrite bytes: offsets from the start of the central directory's first entry."""
    data = bytearray(path.read_bytes())
    start = data.index(b"PK\x01\x02")
    for offset, value in change.items():
        data[start + offset : start + offset + len(value)] = value
    path.write_bytes(data)
    return path


def test_members_come_in_the_archives_order(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"b.png": b"B", "dir/a.png": b"A", "dir/": b""})

    with closing(ZipArchive(path, max_bytes=MAX_BYTES)) as archive:
        assert [member.name for member in members(archive)] == ["b.png", "dir/a.png"]
        assert [member.name for member in archive.members("a.zip")] == ["a.zip/b.png", "a.zip/dir/a.png"]


def test_a_symbolic_link_is_a_small_file_that_nobody_follows(tmp_path: Path) -> None:
    secret = tmp_path / "secret.png"
    secret.write_bytes(b"not to be sent")
    link = zipfile.ZipInfo("link.png")
    link.create_system, link.external_attr = 3, 0o120777 << 16  # Unix; the bytes of a link are where it points to
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(link, str(secret))

    assert read_only_member(tmp_path / "a.zip") == str(secret).encode()


def test_a_member_is_unpacked_whole(tmp_path: Path) -> None:
    data = bytes(range(256)) * 8192
    assert len(data) > SPOOL_BYTES, "past the part kept in memory"

    assert read_only_member(zipped(tmp_path / "a.zip", {"a": data})) == data


def test_names_are_only_for_showing(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"../../etc/a.png": b"x", "/abs/b.png": b"x", "C:/c.png": b"x"})

    with closing(ZipArchive(path, max_bytes=MAX_BYTES)) as archive:
        assert [member.name for member in members(archive)] == ["etc/a.png", "abs/b.png", "C:/c.png"]
    assert list(tmp_path.iterdir()) == [path]


def test_an_endless_name_is_cut(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"x" * 60_000 + ".png": b"x"})

    with closing(ZipArchive(path, max_bytes=MAX_BYTES)) as archive:
        (member,) = members(archive)

    assert len(member.name) == MAX_NAME_CHARS
    assert member.name.endswith("x.png")


def test_hidden_members_are_counted(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"a.png": b"x", ".DS_Store": b"x", "__MACOSX/a.png": b"x", "d/.b/c.png": b"x"})

    with closing(ZipArchive(path, max_bytes=MAX_BYTES)) as archive:
        assert [member.name for member in members(archive)] == ["a.png"]
        assert archive.skipped == {skipping.SYSTEM: 2, skipping.HIDDEN: 1}


def test_a_bomb_is_stopped_at_the_limit(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"bomb.png": bytes(200 * 1024**2)})
    assert path.stat().st_size < 1024**2

    with pytest.raises(TooLarge, match=r"unpacks to more than 4\.19"):
        read_only_member(path)


def test_a_bomb_that_lies_about_its_size_is_stopped_too(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"bomb.png": bytes(200 * 1024**2)})
    patched(path, {24: struct.pack("<L", 100)})

    with pytest.raises((TooLarge, CorruptImage)):
        read_only_member(path)


def test_an_archive_in_an_archive_is_not_opened(tmp_path: Path) -> None:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("a.png", b"x")

    with pytest.raises(UnsupportedType, match="archive inside an archive"):
        read_only_member(zipped(tmp_path / "a.zip", {"inner.png": inner.getvalue()}))


def test_an_encrypted_member_is_said_to_be_one(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"a.png": b"x"})
    patched(path, {8: b"\x01"})

    with pytest.raises(UnsupportedType, match="encrypted"):
        read_only_member(path)


@pytest.mark.parametrize(
    "change",
    [{16: b"\0\0\0\0"}, {42: struct.pack("<L", 7)}],
    ids=["wrong checksum", "wrong place"],
)
def test_a_damaged_member_is_one_error(tmp_path: Path, change: dict[int, bytes]) -> None:
    path = patched(zipped(tmp_path / "a.zip", {"a.png": b"some bytes"}), change)

    with pytest.raises(CorruptImage, match="damaged"):
        read_only_member(path)


def test_too_many_members(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {f"{number}": b"" for number in range(11)})

    with pytest.raises(TooLarge, match="more than 10 files"):
        ZipArchive(path, max_bytes=MAX_BYTES, max_members=10)


def test_members_are_read_from_several_threads(tmp_path: Path) -> None:
    files = {f"{number}.bin": bytes([number]) * 500_000 for number in range(12)}
    path = zipped(tmp_path / "a.zip", files)

    def read(member: ZipMember) -> tuple[str, bytes]:
        with member.open() as file:
            return member.name, file.read()

    with closing(ZipArchive(path, max_bytes=MAX_BYTES)) as archive, ThreadPoolExecutor(4) as pool:
        assert dict(pool.map(read, archive.members(""))) == files


def test_a_zip_is_known_by_its_first_bytes(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"a": b"x"})
    (tmp_path / "image-with-zip-behind.jpg").write_bytes(b"\xff\xd8\xff" + path.read_bytes())

    opened = open_archive(path, max_bytes=MAX_BYTES)
    assert isinstance(opened, ZipArchive)
    opened.close()
    assert open_archive(tmp_path / "image-with-zip-behind.jpg", max_bytes=MAX_BYTES) is None
    assert open_archive(tmp_path / "gone", max_bytes=MAX_BYTES) is None


class RawName(zipfile.ZipInfo):
    """An entry whose name is written as `raw`, without the flag that says UTF-8."""

    raw = b""

    def _encodeFilenameFlags(self) -> tuple[bytes, int]:  # noqa: N802  # zipfile's
        return self.raw, self.flag_bits


def named(path: Path, *names: bytes, system: int = 0, data: bytes = b"x") -> Path:
    """A zip of files with these names, as made on a `system` (0: FAT, 3: Unix)."""
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            info = RawName(name.decode("cp437"))
            info.raw, info.create_system = name, system
            archive.writestr(info, data)
    return path


def listed(path: Path) -> list[str]:
    with closing(ZipArchive(path, max_bytes=MAX_BYTES)) as archive:
        return [member.name for member in members(archive)]


def test_a_byte_inside_a_japanese_character_is_no_separator(tmp_path: Path) -> None:
    names = ["胸部/正常.jpg", "胸部/表.jpg"]
    assert b"\\" in names[1].encode("cp932")

    assert listed(named(tmp_path / "a.zip", *(name.encode("cp932") for name in names))) == names


def test_backslashes_of_windows_are_separators(tmp_path: Path) -> None:
    path = named(tmp_path / "a.zip", b"CXR\\a.jpg", b"CXR\\.cache\\b.jpg", data=b"x")
    with zipfile.ZipFile(path, "a") as archive:
        folder = zipfile.ZipInfo("CXR\\")
        folder.create_system = 0
        archive.writestr(folder, b"")

    assert listed(path) == ["CXR/a.jpg"]


def test_a_file_with_no_name_to_speak_of_is_not_lost(tmp_path: Path) -> None:
    assert listed(named(tmp_path / "a.zip", b"..", b"d/", b"a.png")) == ["unnamed", "d", "a.png"]


def test_a_backslash_of_unix_is_a_character(tmp_path: Path) -> None:
    assert listed(named(tmp_path / "a.zip", b"d/a\\.jpg", system=3)) == ["d/a\\.jpg"]


def test_members_with_one_name_are_all_there(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.png", b"1")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("a.png", b"2")

    with closing(ZipArchive(tmp_path / "a.zip", max_bytes=MAX_BYTES)) as archive_read:
        contents = []
        for member in members(archive_read):
            with member.open() as file:
                contents.append(file.read())
    assert contents == [b"1", b"2"]


def test_companions_are_counted_unless_they_hold_an_image(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"a.png": b"", "README.txt": b"x", "b.csv": b"1,2", "c.txt": factories.png()})

    with closing(ZipArchive(path, max_bytes=MAX_BYTES)) as archive:
        assert [member.name for member in members(archive)] == ["a.png", "c.txt"]
        assert archive.skipped == {skipping.COMPANIONS: 2}


@pytest.mark.parametrize(("method", "name"), [(93, "Zstandard"), (98, "PPMd"), (77, "an unknown way")])
def test_a_compression_that_is_not_read_is_named(tmp_path: Path, method: int, name: str) -> None:
    path = patched(zipped(tmp_path / "a.zip", {"a.png": b"some bytes"}), {10: struct.pack("<H", method)})

    with pytest.raises(UnsupportedType, match=rf"with {name} \(method {method}\)"):
        read_only_member(path)


DEFLATE64 = bytes.fromhex("4b1cfdff0700")
"""The letter a and 65,538 repetitions of it: a length that Deflate does not have."""


def deflate64(path: Path, data: bytes, packed: bytes) -> Path:
    """A zip with one member that says it is Deflate64."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("a.png", packed)
    raw = path.read_bytes()
    local, central = raw.index(b"PK\x03\x04"), raw.index(b"PK\x01\x02")
    facts = struct.pack("<LLL", zlib.crc32(data), len(packed), len(data))
    changed = bytearray(raw)
    for start, shift in ((local, 0), (central, 2)):
        changed[start + 8 + shift : start + 10 + shift] = struct.pack("<H", 9)
        changed[start + 14 + shift : start + 26 + shift] = facts
    path.write_bytes(changed)
    return path


def test_deflate64_is_read(tmp_path: Path) -> None:
    data = b"a" * 65_539
    assert read_only_member(deflate64(tmp_path / "a.zip", data, DEFLATE64)) == data


@pytest.mark.parametrize("packed", [DEFLATE64[:-2], b"\xff" * 40, b""])
def test_damaged_deflate64_is_one_error(tmp_path: Path, packed: bytes) -> None:
    with pytest.raises(CorruptImage, match="damaged"):
        read_only_member(deflate64(tmp_path / "a.zip", b"a" * 65_539, packed))


def test_a_name_that_is_not_the_utf8_it_says_it_is(tmp_path: Path) -> None:
    path = named(tmp_path / "a.zip", b"r\xf6ntgen.png")
    with pytest.raises(CorruptImage, match="not UTF-8 though it says so"):
        ZipArchive(patched(path, {8: b"\x00\x08"}), max_bytes=MAX_BYTES)
