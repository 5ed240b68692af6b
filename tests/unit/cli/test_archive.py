"""Zip archives, the hostile ones too."""

from __future__ import annotations

import io
import struct
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cli.archive import MAX_NAME_CHARS, SPOOL_BYTES, Archive, MemberSource, is_zip
from core.errors import CorruptImage, TooLarge, UnsupportedType

MAX_BYTES = 4 * 1024**2


def zipped(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def members(archive: Archive) -> list[MemberSource]:
    return list(archive.members(""))


def read_only_member(path: Path) -> bytes:
    with Archive(path, max_bytes=MAX_BYTES) as archive:
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

    with Archive(path, max_bytes=MAX_BYTES) as archive:
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
    path = zipped(tmp_path / "a.zip", {"../../etc/a.png": b"x", "/abs/b.png": b"x", "win\\c.png": b"x"})

    with Archive(path, max_bytes=MAX_BYTES) as archive:
        assert [member.name for member in members(archive)] == ["etc/a.png", "abs/b.png", "win/c.png"]
    assert list(tmp_path.iterdir()) == [path]


def test_an_endless_name_is_cut(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"x" * 60_000 + ".png": b"x"})

    with Archive(path, max_bytes=MAX_BYTES) as archive:
        (member,) = members(archive)

    assert len(member.name) == MAX_NAME_CHARS
    assert member.name.endswith("x.png")


def test_hidden_members_are_counted(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"a.png": b"x", ".DS_Store": b"x", "__MACOSX/a.png": b"x", "d/.b/c.png": b"x"})

    with Archive(path, max_bytes=MAX_BYTES) as archive:
        assert [member.name for member in members(archive)] == ["a.png"]
        assert archive.hidden == 3


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
    [{10: struct.pack("<H", 99)}, {16: b"\0\0\0\0"}, {42: struct.pack("<L", 7)}],
    ids=["unknown compression", "wrong checksum", "wrong place"],
)
def test_a_damaged_member_is_one_error(tmp_path: Path, change: dict[int, bytes]) -> None:
    path = patched(zipped(tmp_path / "a.zip", {"a.png": b"some bytes"}), change)

    with pytest.raises(CorruptImage, match="damaged"):
        read_only_member(path)


def test_too_many_members(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {f"{number}": b"" for number in range(11)})

    with pytest.raises(TooLarge, match="more than 10 files"):
        Archive(path, max_bytes=MAX_BYTES, max_members=10)


def test_members_are_read_from_several_threads(tmp_path: Path) -> None:
    files = {f"{number}.bin": bytes([number]) * 500_000 for number in range(12)}
    path = zipped(tmp_path / "a.zip", files)

    def read(member: MemberSource) -> tuple[str, bytes]:
        with member.open() as file:
            return member.name, file.read()

    with Archive(path, max_bytes=MAX_BYTES) as archive, ThreadPoolExecutor(4) as pool:
        assert dict(pool.map(read, archive.members(""))) == files


def test_is_zip_looks_at_the_first_bytes(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"a": b"x"})
    (tmp_path / "image-with-zip-behind.jpg").write_bytes(b"\xff\xd8\xff" + path.read_bytes())

    assert is_zip(path)
    assert not is_zip(tmp_path / "image-with-zip-behind.jpg")
    assert not is_zip(tmp_path / "gone")
