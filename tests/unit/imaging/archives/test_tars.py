"""Tar archives, compressed and not, the hostile ones too."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from core.errors import CorruptImage, TooLarge, UnsupportedType
from imaging import skipping
from imaging.archives import Archive, open_archive
from imaging.archives.members import SPOOL_BYTES
from imaging.archives.tars import DAMAGED, LINKS, SPECIAL, TOO_MUCH, TarArchive
from imaging.signatures import ArchiveForm
from tests.testing import factories

MAX_BYTES = 4 * 1024**2
MODES = ("w", "w:gz", "w:bz2", "w:xz")


def packed(path: Path, files: dict[str, bytes], mode: str = "w:gz", form: int = tarfile.PAX_FORMAT) -> Path:
    with tarfile.open(path, mode, format=form) as tar:  # type: ignore[call-overload]
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def opened(path: Path) -> Archive:
    archive = open_archive(path, max_bytes=MAX_BYTES)
    assert isinstance(archive, TarArchive)
    return archive


def listed(archive: Archive, prefix: str = "", *, counting: bool = False) -> tuple[list[str], str]:
    """The names, and why there are no more."""
    names: list[str] = []
    try:
        names.extend(member.name for member in archive.members(prefix, counting=counting))
    except CorruptImage as error:
        return names, error.message
    return names, ""


def contents(archive: Archive) -> Iterator[bytes]:
    for member in list(archive.members("")):  # all are held at once, as in a batch
        with member.open() as file:
            yield file.read()


@pytest.mark.parametrize("mode", MODES)
def test_members_are_read_whole_however_it_is_compressed(tmp_path: Path, mode: str) -> None:
    files = {"b.png": b"B", "./dir/a.png": os.urandom(SPOOL_BYTES + 5000), "dir/größe.png": b""}
    archive = opened(packed(tmp_path / "export.dat", files, mode))

    assert listed(archive) == (["b.png", "dir/a.png", "dir/größe.png"], "")
    assert listed(archive, "x.tar", counting=True) == (["x.tar/b.png", "x.tar/dir/a.png", "x.tar/dir/größe.png"], "")
    assert list(contents(archive)) == list(files.values())


def test_a_member_may_be_opened_again(tmp_path: Path) -> None:
    data = os.urandom(SPOOL_BYTES + 1)
    (member,) = opened(packed(tmp_path / "a.tgz", {"a.png": data})).members("")
    for _ in range(2):
        with member.open() as file:
            assert file.read() == data


def test_names_of_another_code_page(tmp_path: Path) -> None:
    names = [os.fsdecode(name.encode("cp932")) for name in ("胸部/正常.jpg", "胸部/表.jpg")]
    path = packed(tmp_path / "a.tar", dict.fromkeys(names, b"x"), "w", tarfile.GNU_FORMAT)

    assert listed(opened(path))[0] == ["胸部/正常.jpg", "胸部/表.jpg"]


def test_what_is_no_file_is_counted(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        for name, kind in (
            ("d", tarfile.DIRTYPE),
            ("l", tarfile.SYMTYPE),
            ("h", tarfile.LNKTYPE),
            ("p", tarfile.FIFOTYPE),
        ):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            tar.addfile(info)
        for name, data in {"a.png": b"x", "._a.png": b"x", "README": b"x", "c.txt": factories.png()}.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    archive = opened(tmp_path / "a.tar")

    assert listed(archive) == (["a.png", "c.txt"], "")
    assert archive.skipped == {LINKS: 2, SPECIAL: 1, skipping.SYSTEM: 1, skipping.COMPANIONS: 1}


@pytest.mark.parametrize("mode", MODES)
def test_a_tar_cut_short_gives_what_is_there_and_says_so(tmp_path: Path, mode: str) -> None:
    files = {f"{number}.png": os.urandom(300_000) for number in range(6)}
    path = packed(tmp_path / "a.tar", files, mode)
    path.write_bytes(path.read_bytes()[: 300_000 * 5])

    names, fault = listed(opened(path))

    assert fault == DAMAGED
    assert names == [f"{number}.png" for number in range(len(names))]
    assert len(names) < 6


@pytest.mark.parametrize("blocks", [1, 2, 3])
def test_a_tar_cut_between_two_files_is_no_whole_one(tmp_path: Path, blocks: int) -> None:
    path = packed(tmp_path / "a.tar", {"1.png": bytes(512), "2.png": bytes(512)}, "w", tarfile.USTAR_FORMAT)
    path.write_bytes(path.read_bytes()[: 512 * (1 + blocks)])

    assert listed(opened(path))[1] == DAMAGED


def test_a_header_that_is_damaged_loses_no_image_in_silence(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.tar", {"1.png": b"1", "2.png": b"2"}, "w", tarfile.USTAR_FORMAT)
    data = bytearray(path.read_bytes())
    data[1024] ^= 1
    path.write_bytes(data)

    assert listed(opened(path)) == (["1.png"], DAMAGED)


def test_a_member_over_the_limit_fails_alone(tmp_path: Path) -> None:
    archive = opened(packed(tmp_path / "a.tgz", {"big.png": os.urandom(MAX_BYTES + 1), "a.png": b"x"}))
    big, small = archive.members("")

    with pytest.raises(TooLarge, match=r"more than 4\.19"):
        big.open()
    with small.open() as file:
        assert file.read() == b"x"


@pytest.mark.parametrize("mode", MODES[1:])
def test_a_bomb_is_not_unpacked(tmp_path: Path, mode: str) -> None:
    archive = opened(packed(tmp_path / "a", {"a.png": b"x", "bomb.png": bytes(60 * 1024**2), "b.png": b"x"}, mode))

    assert listed(archive) == (["a.png"], TOO_MUCH)


def test_a_header_that_fills_the_memory_is_not_read(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w", format=tarfile.PAX_FORMAT) as tar:
        tar.addfile(tarfile.TarInfo("a.png"))
        info = tarfile.TarInfo("b.png")
        info.pax_headers = {"comment": "x" * 2 * 1024**2}
        tar.addfile(info)

    assert listed(opened(tmp_path / "a.tar")) == (["a.png"], DAMAGED)


def test_too_many_members(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.tar", {f"{number}": b"" for number in range(11)}, "w")

    with pytest.raises(TooLarge, match="more than 10 files"):
        TarArchive(path, ArchiveForm.TAR, max_bytes=MAX_BYTES, max_members=10)


def test_an_archive_in_an_archive_is_not_opened(tmp_path: Path) -> None:
    inner = packed(tmp_path / "inner.tgz", {"a.png": b"x"}).read_bytes()
    (member,) = opened(packed(tmp_path / "a.tar", {"inner.png": inner}, "w")).members("")

    with pytest.raises(UnsupportedType, match="archive inside an archive"):
        member.open()


def test_one_that_changed_since_it_was_listed_is_one_error(tmp_path: Path) -> None:
    archive = opened(packed(tmp_path / "a.tar", {"a.png": b"x", "b.png": b"x"}, "w"))
    packed(tmp_path / "a.tar", {"a.png": b"x"}, "w")

    assert listed(archive) == (["a.png"], DAMAGED)


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_what_is_compressed_but_no_tar_is_no_archive(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    (tmp_path / "a").write_bytes(pack(factories.png()))

    assert open_archive(tmp_path / "a", max_bytes=MAX_BYTES) is None
