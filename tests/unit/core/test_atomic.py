"""A file is replaced whole or not at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from core.atomic import ABANDONED_AFTER_S, replacement, sync_directory, write_bytes


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "scores.csv"
    path.write_bytes(b"before")
    return path


def test_the_new_content_is_in_place_at_the_end_and_not_earlier(path: Path) -> None:
    with replacement(path) as draft:
        draft.write_bytes(b"after")
        assert path.read_bytes() == b"before"
    assert path.read_bytes() == b"after"
    assert list(path.parent.iterdir()) == [path]


def test_an_error_leaves_the_old_file_and_no_draft(path: Path) -> None:
    with pytest.raises(NotADirectoryError), replacement(path) as draft:
        (draft / "half").write_bytes(b"after")
    assert path.read_bytes() == b"before"
    assert list(path.parent.iterdir()) == [path]


def test_two_writers_at_a_time_each_have_their_draft(path: Path) -> None:
    with replacement(path) as first, replacement(path) as second:
        first.write_bytes(b"first")
        second.write_bytes(b"second")
    assert path.read_bytes() == b"first"  # which ended last


def test_the_bytes_reach_the_disk_before_the_name_does(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def noted_fsync(descriptor: int) -> None:
        events.append("directory" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "bytes")
        fsync(descriptor)

    def noted_replace(self: Path, target: Path) -> Path:
        events.append("rename")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(Path, "replace", noted_replace)
    write_bytes(path, b"after")
    assert events == ["bytes", "rename", "directory"]


def test_a_file_for_its_owner_alone_is_never_readable_for_others(path: Path) -> None:
    with replacement(path, mode=0o600) as draft:
        assert stat.S_IMODE(draft.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_a_killed_process_left_is_removed_after_a_day(path: Path) -> None:
    old, young, other = (path.with_name(f".{name}.partial") for name in ("scores.csv.0a", "scores.csv.0b", "x.csv.0c"))
    for draft in (old, young, other):
        draft.touch()
    for draft in (old, other):
        os.utime(draft, (0, draft.stat().st_mtime - ABANDONED_AFTER_S - 60))
    write_bytes(path, b"after")
    assert sorted(path.parent.iterdir()) == sorted([path, young, other])


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_bytes(tmp_path / "absent" / "file", b"")
    with pytest.raises(FileNotFoundError):
        sync_directory(tmp_path / "absent")
