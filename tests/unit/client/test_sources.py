"""What PATH arguments mean."""

from __future__ import annotations

import os
import tarfile
import zipfile
from pathlib import Path

import pytest

from client.folders import FOLDER_LINK, OUTSIDE_LINK, SEEN_FOLDER, SPECIAL
from client.sources import FileSource, Problem, Sources, Unreadable, display_name
from core.errors import TooLarge
from imaging.skipping import COMPANIONS, HIDDEN, RECYCLED, SYSTEM, THUMBNAILS
from tests.testing import factories

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
    make(tmp_path, "a.png", ".profile", ".cache/b.png", ".cache/deep/c.png")

    with Sources([tmp_path], max_bytes=MAX_BYTES) as sources:
        assert [item.name for item in sources] == ["a.png"]
        assert sources.skipped == {HIDDEN: 3}, "each file of a hidden folder counts"


def test_what_a_nas_adds_is_skipped_and_counted(tmp_path: Path) -> None:
    make(
        tmp_path,
        "study0.jpg",
        "@eaDir/study0.jpg/SYNOFILE_THUMB_M.jpg",
        "@eaDir/study0.jpg/SYNOFILE_THUMB_S.jpg",
        ".@__thumb/s100study0.jpg",
        "#recycle/study0.jpg",
        "$RECYCLE.BIN/study0.jpg",
        "Thumbs.db",
        "._study0.jpg",
    )

    with Sources([tmp_path], max_bytes=MAX_BYTES) as sources:
        assert sources.count() == 1
        assert [item.name for item in sources] == ["study0.jpg"]
        assert sources.skipped == {THUMBNAILS: 4, RECYCLED: 2, SYSTEM: 1}


def test_companions_are_skipped_unless_they_hold_an_image(tmp_path: Path) -> None:
    make(tmp_path, "README", "labels.csv", "DICOMDIR")
    for name in ("empty.jpg", "empty.csv"):
        (tmp_path / name).touch()
    (tmp_path / "scan.txt").write_bytes(factories.png())

    with Sources([tmp_path], max_bytes=MAX_BYTES) as sources:
        assert [item.name for item in sources] == ["empty.jpg", "scan.txt"]
        assert sources.skipped == {COMPANIONS: 4}


def test_a_companion_that_the_user_names_is_not_skipped(tmp_path: Path) -> None:
    make(tmp_path, "labels.csv")

    assert walk(tmp_path / "labels.csv")[0] == ["labels.csv"]


def test_a_folder_of_nothing_else_has_no_images(tmp_path: Path) -> None:
    make(tmp_path, "x/README", "x/@eaDir/a.jpg")

    assert walk(tmp_path / "x") == ([], [Problem("x", "The folder has no images.")])


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
        assert sources.skipped == {OUTSIDE_LINK: 2, FOLDER_LINK: 2}


def annexed(tmp_path: Path) -> Path:
    """Two images of a dataset whose bytes lie elsewhere, one that was not fetched, and links that lead in circles."""
    root = make(tmp_path / "dataset", "sub/own.png")
    objects = make(tmp_path / "objects", "1", "2", "more/3.png")
    for name, target in {
        "a.png": objects / "1",
        "sub/b.png": objects / "2",
        "not-fetched.png": objects / "gone",
        "more": objects / "more",
        "more-again": objects / "more",
        "up": tmp_path,
        "self": root,
        "down": root / "sub",
    }.items():
        (root / name).symlink_to(target)
    (objects / "more" / "loop").symlink_to(objects / "more")
    (root / "circle.png").symlink_to(root / "circle.png")
    return root


def test_links_of_an_annexed_folder_are_followed_when_asked(tmp_path: Path) -> None:
    with Sources([annexed(tmp_path)], max_bytes=MAX_BYTES, follow_links=True) as sources:
        items = list(sources)
    names = [item.name for item in items if not isinstance(item, Problem)]
    problems = {item.name: item.message for item in items if isinstance(item, Problem)}

    assert names == ["a.png", "more/3.png", "sub/b.png", "sub/own.png"]
    assert problems.keys() == {"circle.png", "not-fetched.png"}
    assert "git annex get" in problems["not-fetched.png"]
    assert sources.skipped == {SEEN_FOLDER: 5}


def test_links_of_an_annexed_folder_are_counted_when_not(tmp_path: Path) -> None:
    with Sources([annexed(tmp_path)], max_bytes=MAX_BYTES) as sources:
        assert [item.name for item in sources] == ["sub/own.png"]
        assert sources.skipped == {OUTSIDE_LINK: 5, FOLDER_LINK: 4}


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

    assert walk(tmp_path / "empty.zip")[1] == [Problem("empty.zip", "The archive has no files.")]
    assert walk(tmp_path / "broken.zip")[1] == [Problem("broken.zip", "The zip archive is damaged or cut short.")]


def test_a_tar_is_walked_like_a_zip(tmp_path: Path) -> None:
    make(tmp_path, "in/sub/a.png", "in/README", "in/.DS_Store")
    with tarfile.open(tmp_path / "export.tgz", "w:gz") as archive:
        archive.add(tmp_path / "in", ".")

    with Sources([tmp_path / "export.tgz"], max_bytes=MAX_BYTES) as sources:
        assert sources.count() == 1
        assert [item.name for item in sources] == ["sub/a.png"]
        assert sources.skipped == {COMPANIONS: 1, SYSTEM: 1}


def test_an_archive_of_companions_has_no_images(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("README.txt", b"x")

    assert walk(tmp_path / "a.zip") == ([], [Problem("a.zip", "The archive has no images.")])


def test_a_tar_cut_short_gives_its_files_and_a_problem(tmp_path: Path) -> None:
    make(tmp_path, "in/a.png", "in/b.png")
    with tarfile.open(tmp_path / "a.tar", "w", format=tarfile.GNU_FORMAT) as archive:
        archive.add(tmp_path / "in" / "a.png", "a.png")
        archive.add(tmp_path / "in" / "b.png", "b.png")
    (tmp_path / "a.tar").write_bytes((tmp_path / "a.tar").read_bytes()[:1030])

    names, (problem,) = walk(tmp_path / "a.tar")
    assert (names, problem.name) == (["a.png"], "a.tar")
    assert "cut short" in problem.message


def test_a_file_over_the_limit_is_refused_before_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(bytes(3 * 1024**2))

    with pytest.raises(TooLarge, match=r"3\.1 MB; the limit is 2\.\d+ MB"):
        FileSource("big", tmp_path / "big", 2 * 1024**2).open()


def test_a_file_that_vanished_is_unreadable(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="No such file"):
        FileSource("gone", tmp_path / "gone", MAX_BYTES).open()


def test_a_name_that_is_no_text_is_made_one() -> None:
    assert display_name(os.fsdecode(b"r\xf6ntgen.png")) == "r\ufffdntgen.png"
