"""What PATH arguments mean."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import pytest

from cli.sources import (
    FOLDER_LINK,
    HIDDEN,
    OUTSIDE_LINK,
    SPECIAL,
    FileSource,
    Problem,
    Sources,
    Unreadable,
    display_name,
)
from core.errors import TooLarge

MAX_BYTES = 1000


def walk(*paths: Path) -> tuple[list[str], list[Problem]]:
    with Sources(paths, max_bytes=MAX_BYTES) as sources:
        items = list(sources)
    names = [item.name for item in items if not isinstance(item, Problem)]
    return names, [item for item in items if isinstance(item, Problem)]


def make(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(name.encode())
    return root


def test_a_file_is_itself(tmp_path: Path) -> None:
    make(tmp_path, "one.png")

    with Sources([tmp_path / "one.png"], max_bytes=MAX_BYTES) as sources:
        (item,) = sources
        assert isinstance(item, FileSource)
        with item.open() as file:
            assert file.read() == b"one.png"
    assert item.name == "one.png"


def test_a_folder_is_walked_in_order(tmp_path: Path) -> None:
    make(tmp_path, "b.png", "a/2.png", "a/1.png", "a/deep/er/0.png", "c.png")

    assert walk(tmp_path) == (["a/1.png", "a/2.png", "a/deep/er/0.png", "b.png", "c.png"], [])


def test_names_tell_several_paths_apart(tmp_path: Path) -> None:
    make(tmp_path, "x/1.png", "y/1.png", "z.png")

    assert walk(tmp_path / "x", tmp_path / "y", tmp_path / "z.png")[0] == ["x/1.png", "y/1.png", "z.png"]


def test_files_of_different_folders_keep_their_folder(tmp_path: Path) -> None:
    make(tmp_path, "x/1.png", "y/1.png")

    assert walk(tmp_path / "x" / "1.png", tmp_path / "y" / "1.png")[0] == ["x/1.png", "y/1.png"]


def test_it_can_be_walked_twice_and_counted(tmp_path: Path) -> None:
    make(tmp_path, "a.png", "b.png", ".hidden")

    with Sources([tmp_path], max_bytes=MAX_BYTES) as sources:
        assert sources.count() == 2
        assert [item.name for item in sources] == ["a.png", "b.png"]
        assert sources.skipped == {HIDDEN: 1}, "not counted twice"


def test_hidden_files_and_folders_are_skipped(tmp_path: Path) -> None:
    make(tmp_path, "a.png", ".DS_Store", ".cache/b.png")

    with Sources([tmp_path], max_bytes=MAX_BYTES) as sources:
        assert [item.name for item in sources] == ["a.png"]
        assert sources.skipped == {HIDDEN: 2}


def test_links_are_followed_only_to_files_inside(tmp_path: Path) -> None:
    make(tmp_path, "outside.png", "in/a.png", "in/sub/b.png")
    root = tmp_path / "in"
    (root / "link-in.png").symlink_to(root / "a.png")
    (root / "link-out.png").symlink_to(tmp_path / "outside.png")
    (root / "link-up").symlink_to(tmp_path)
    (root / "loop").symlink_to(root / "sub")
    (root / "nowhere").symlink_to(root / "gone.png")

    with Sources([root], max_bytes=MAX_BYTES) as sources:
        assert [item.name for item in sources] == ["a.png", "link-in.png", "sub/b.png"]
        assert sources.skipped == {OUTSIDE_LINK: 2, FOLDER_LINK: 2, HIDDEN: 0}


def test_a_link_that_the_user_names_is_followed(tmp_path: Path) -> None:
    make(tmp_path, "real/a.png")
    (tmp_path / "link").symlink_to(tmp_path / "real")

    assert walk(tmp_path / "link") == (["a.png"], [])


def test_a_pipe_is_not_opened(tmp_path: Path) -> None:
    make(tmp_path, "a.png")
    os.mkfifo(tmp_path / "pipe")

    with Sources([tmp_path], max_bytes=MAX_BYTES) as sources:
        assert [item.name for item in sources] == ["a.png"]
        assert sources.skipped[SPECIAL] == 1
    assert walk(tmp_path / "pipe")[1] == [Problem("pipe", "Neither a file nor a folder.")]


def test_an_empty_folder_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "empty" / "below").mkdir(parents=True)

    assert walk(tmp_path / "empty") == ([], [Problem("empty", "The folder has no files.")])


def test_an_unreadable_folder_is_a_problem_and_the_rest_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path, "a/1.png", "b/2.png")
    listdir = os.listdir

    def refuse(path: Path) -> list[str]:
        if path.name == "a":
            raise PermissionError(13, "Permission denied")
        return listdir(path)

    monkeypatch.setattr("os.listdir", refuse)

    assert walk(tmp_path) == (["b/2.png"], [Problem("a", "The folder cannot be read: Permission denied.")])


def test_a_zip_inside_a_folder_is_a_file_like_others(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "inner.zip", "w") as archive:
        archive.writestr("a.png", b"x")

    assert walk(tmp_path)[0] == ["inner.zip"]


def test_a_zip_is_known_by_its_content(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "export.dat", "w") as archive:
        archive.writestr("sub/a.png", b"x")

    assert walk(tmp_path / "export.dat") == (["sub/a.png"], [])


def test_the_names_of_several_zips_begin_with_theirs(tmp_path: Path) -> None:
    for name in ("1.zip", "2.zip"):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            archive.writestr("a.png", b"x")

    assert walk(tmp_path / "1.zip", tmp_path / "2.zip")[0] == ["1.zip/a.png", "2.zip/a.png"]


def test_an_empty_and_a_broken_zip_are_problems(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "empty.zip", "w"):
        pass
    (tmp_path / "broken.zip").write_bytes(b"PK\x03\x04 and then nothing")

    assert walk(tmp_path / "empty.zip")[1] == [Problem("empty.zip", "The zip archive has no files.")]
    assert walk(tmp_path / "broken.zip")[1] == [Problem("broken.zip", "The zip archive is damaged or cut short.")]


def test_a_file_over_the_limit_is_refused_before_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(bytes(3 * 1024**2))

    with pytest.raises(TooLarge, match=r"3\.1 MB; the limit is 2\.\d+ MB"):
        FileSource("big", tmp_path / "big", 2 * 1024**2).open()


def test_a_file_that_vanished_is_unreadable(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="No such file"):
        FileSource("gone", tmp_path / "gone", MAX_BYTES).open()


def test_a_name_that_is_no_text_is_made_one() -> None:
    assert display_name(os.fsdecode(b"r\xf6ntgen.png")) == "r\ufffdntgen.png"
