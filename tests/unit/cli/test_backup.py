"""`backup` and `restore` of an embedded service: whole or not at all, private, and taken while the service writes."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import sqlite3
import stat
import tarfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Invoke


@pytest.fixture(autouse=True)
def restored_umask() -> Iterator[None]:
    mask = os.umask(0o022)
    yield
    os.umask(mask)


@pytest.fixture
def data(tmp_path: Path, migrated_sqlite: Path) -> Path:
    """A data directory with one image, one model, a secret, and an upload that is being received."""
    folder = tmp_path / "data"
    content = b"the bytes of an image"
    name = hashlib.sha256(content).hexdigest()
    files = {
        f"blobs/{name[:2]}/{name}": content,
        "blobs/incoming/upload-1": b"half",
        "models/active": b"0" * 64,
        "secret-key": b"a secret",
        "logs/web.log": b"a line",
        "lock": b"1",
    }
    for path, written in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(written)
    shutil.copy(migrated_sqlite, folder / "pneumoscreen.db")
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file() and p.suffix != ".db"}


def count_users(database: Path) -> int:
    with closing(sqlite3.connect(database)) as connection:
        ((count,),) = connection.execute("SELECT count(*) FROM users").fetchall()
    return int(count)


@pytest.fixture
def saved(invoke: Invoke, data: Path, tmp_path: Path) -> Path:
    assert data.exists()
    result = invoke("backup", tmp_path / "monday.tar")
    assert result.exit_code == 0, result.output
    assert result.stdout == f"saved 4 files to {tmp_path / 'monday.tar'}\n"
    return tmp_path / "monday.tar"


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PNEUMOSCREEN_DATA_DIR", str(tmp_path / "elsewhere"))
    return tmp_path / "elsewhere"


def test_everything_but_logs_locks_and_unfinished_uploads_comes_back(
    invoke: Invoke, data: Path, saved: Path, elsewhere: Path
) -> None:
    result = invoke("restore", saved)

    assert result.exit_code == 0, result.output
    left_out = {"blobs/incoming/upload-1", "logs/web.log", "lock"}
    assert contents(elsewhere) == {name: held for name, held in contents(data).items() if name not in left_out}
    assert count_users(elsewhere / "pneumoscreen.db") == 0
    assert not list(data.glob("tmp*")), "the copy of the database is removed"


def test_only_the_owner_may_read_either(invoke: Invoke, saved: Path, elsewhere: Path) -> None:
    os.umask(0)
    assert invoke("restore", saved).exit_code == 0

    assert stat.S_IMODE(saved.stat().st_mode) == 0o600
    for path in (elsewhere, *elsewhere.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_what_is_committed_and_not_yet_in_the_file_is_saved_and_an_open_transaction_is_not(
    invoke: Invoke, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add = "INSERT INTO users (name, role, created_at) VALUES (?, 'admin', '2026-01-01')"
    with closing(sqlite3.connect(data / "pneumoscreen.db", isolation_level=None)) as running:
        running.execute("PRAGMA journal_mode = WAL")
        running.execute(add, ("ada",))
        running.execute("BEGIN IMMEDIATE")
        running.execute(add, ("bob",))
        assert invoke("backup", tmp_path / "running.tar").exit_code == 0
        running.execute("ROLLBACK")
    monkeypatch.setenv("PNEUMOSCREEN_DATA_DIR", str(tmp_path / "new"))

    assert invoke("restore", tmp_path / "running.tar").exit_code == 0
    assert count_users(tmp_path / "new" / "pneumoscreen.db") == 1


def test_a_data_directory_that_holds_something_is_left_alone(invoke: Invoke, data: Path, saved: Path) -> None:
    before = contents(data)

    result = invoke("restore", saved)

    assert result.exit_code == 2
    assert "is not empty" in result.stderr
    assert contents(data) == before


def test_an_existing_file_is_not_overwritten(invoke: Invoke, data: Path, tmp_path: Path) -> None:
    assert data.exists()
    (tmp_path / "monday.tar").write_text("the last good one")

    assert invoke("backup", tmp_path / "monday.tar").exit_code == 2
    assert (tmp_path / "monday.tar").read_text() == "the last good one"


def test_no_database_nothing_to_save(invoke: Invoke, tmp_path: Path) -> None:
    result = invoke("backup", tmp_path / "monday.tar")

    assert result.exit_code == 2
    assert "There is no database in" in result.stderr
    assert not (tmp_path / "monday.tar").exists()


@pytest.mark.parametrize("name", ["DATABASE_URL=postgresql://db/x", "STORAGE_URL=s3://bucket", "BLOB_DIR=/b"])
def test_a_service_that_keeps_something_elsewhere_is_sent_elsewhere(
    invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    variable, _, value = f"PNEUMOSCREEN_{name}".partition("=")
    monkeypatch.setenv(variable, value)

    result = invoke("backup", tmp_path / "monday.tar")

    assert result.exit_code == 2
    assert variable in result.stderr


def member(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    archive.addfile(info, io.BytesIO(content))


@pytest.mark.parametrize("kept", [1, 3])
def test_a_file_that_was_cut_between_two_members(invoke: Invoke, saved: Path, elsewhere: Path, kept: int) -> None:
    with tarfile.open(saved) as archive:
        cut = archive.getmembers()[kept].offset
    saved.write_bytes(saved.read_bytes()[:cut])

    result = invoke("restore", saved)

    assert result.exit_code == 1
    assert "cut off" in result.stderr
    assert not elsewhere.exists()


def test_a_file_that_was_cut_within_a_member(invoke: Invoke, saved: Path, elsewhere: Path) -> None:
    saved.write_bytes(saved.read_bytes()[:30_000])

    assert invoke("restore", saved).exit_code == 1
    assert not elsewhere.exists()


def test_an_image_that_was_changed(invoke: Invoke, saved: Path, elsewhere: Path) -> None:
    saved.write_bytes(saved.read_bytes().replace(b"the bytes of", b"the bits  of"))

    result = invoke("restore", saved)

    assert result.exit_code == 1
    assert "is damaged in the backup" in result.stderr
    assert not elsewhere.exists()


@pytest.mark.parametrize("name", ["../outside", "/tmp/outside", "blobs/../../outside", "crontab", "blobs"])
def test_a_member_that_is_none_of_ours(invoke: Invoke, tmp_path: Path, elsewhere: Path, name: str) -> None:
    with tarfile.open(tmp_path / "strange.tar", "w") as archive:
        member(archive, name, b"x")

    result = invoke("restore", tmp_path / "strange.tar")

    assert result.exit_code == 1
    assert "nothing was restored" in result.stderr
    assert not elsewhere.exists()
    assert not (tmp_path / "outside").exists()


def test_a_link_is_none_of_ours(invoke: Invoke, tmp_path: Path, elsewhere: Path) -> None:
    with tarfile.open(tmp_path / "strange.tar", "w") as archive:
        info = tarfile.TarInfo("blobs/link")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(info)

    assert invoke("restore", tmp_path / "strange.tar").exit_code == 1
    assert not elsewhere.exists()


@pytest.mark.parametrize("content", [None, b"hello"])
def test_no_archive(invoke: Invoke, tmp_path: Path, elsewhere: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "notes.txt").write_bytes(content)

    result = invoke("restore", tmp_path / "notes.txt")

    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert not elsewhere.exists()
