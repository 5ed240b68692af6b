"""The data directory: private, writable, one launcher at a time."""

from __future__ import annotations

import contextlib
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli import database as databases
from core.errors import ConfigurationError
from launcher import datadir
from services import schema

HOLD_LOCK = (
    "import sys; from pathlib import Path; from launcher import datadir\n"
    "with datadir.locked(Path(sys.argv[1]), notify=print) as fd:\n"
    "    if len(sys.argv) > 2:\n"  # a child keeps the lock for a moment longer
    "        import subprocess; subprocess.Popen(['sleep', sys.argv[2]], pass_fds=[fd])\n"
    "    print('held', flush=True); sys.stdin.read()\n"
)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def hold_lock(path: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", HOLD_LOCK, str(path), *arguments]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def end(process: subprocess.Popen[str]) -> None:
    """Kill it, without waiting for the child that may still hold its standard output."""
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        assert pipe is not None
        pipe.close()


def test_it_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    path = datadir.prepare(tmp_path / "deep" / "data")

    assert mode(path) == 0o700
    assert mode(path / "logs") == 0o700


def test_preparing_it_again_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "blob").write_text("x")

    datadir.prepare(tmp_path)
    datadir.prepare(tmp_path)

    assert sorted(path.name for path in tmp_path.iterdir()) == ["blob", "logs"]


def test_a_relative_path_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    assert datadir.prepare(Path("data")) == tmp_path.resolve() / "data"


def test_a_file_is_no_directory(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("x")

    with pytest.raises(ConfigurationError, match=r"data is not a directory; choose another --data-dir"):
        datadir.prepare(tmp_path / "data")
    with pytest.raises(ConfigurationError, match="Cannot write to the data directory"):
        datadir.prepare(tmp_path / "data" / "below")


def test_a_directory_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "touch", refuse)

    with pytest.raises(ConfigurationError, match=r"\(Permission denied\); choose another --data-dir"):
        datadir.prepare(tmp_path)


@contextlib.contextmanager
def shut_out(folder: Path) -> Iterator[None]:
    """`folder` cannot be entered by whoever runs this block. Root may enter any: it is somebody else meanwhile."""
    folder.chmod(0o000)
    try:
        if os.geteuid() == 0:
            os.seteuid(65534)
        yield
    finally:
        if os.getuid() == 0:
            os.seteuid(0)
        folder.chmod(0o700)


def test_a_folder_that_cannot_be_entered(tmp_path: Path) -> None:
    with shut_out(tmp_path), pytest.raises(ConfigurationError, match=r"\(Permission denied\); choose another"):
        datadir.prepare(tmp_path / "data")


def test_a_database_in_a_folder_that_cannot_be_entered(tmp_path: Path) -> None:
    with shut_out(tmp_path):
        with pytest.raises(ConfigurationError, match=r"Cannot reach the database .*Permission denied"):
            databases.require_file(f"sqlite:///{tmp_path}/data/pneumoscreen.db")
        with pytest.raises(ConfigurationError, match=r"Cannot make the folder .*Permission denied"):
            schema.make_folder(tmp_path / "data" / "pneumoscreen.db")


def test_a_lock_that_cannot_be_opened(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    with (
        shut_out(tmp_path / "data"),
        pytest.raises(ConfigurationError, match=r"Cannot open .*lock"),
        datadir.locked(tmp_path / "data", notify=print),
    ):
        pytest.fail("locked")


def test_a_second_launcher_is_told_who_holds_it(tmp_path: Path) -> None:
    other = hold_lock(tmp_path)
    try:
        with (
            pytest.raises(ConfigurationError, match=rf"in use by process {other.pid}: stop that one"),
            datadir.locked(tmp_path, notify=print),
        ):
            pass
    finally:
        end(other)


def test_a_lock_ends_with_its_process(tmp_path: Path) -> None:
    end(hold_lock(tmp_path))

    with datadir.locked(tmp_path, notify=print):
        assert (tmp_path / "lock").read_text() == str(os.getpid())


def test_it_waits_for_the_children_of_a_killed_launcher(tmp_path: Path) -> None:
    killed = hold_lock(tmp_path, "0.5")
    end(killed)
    said: list[str] = []

    with datadir.locked(tmp_path, notify=said.append):
        assert (tmp_path / "lock").read_text() == str(os.getpid())

    assert said == [f"waiting for what process {killed.pid} left running to stop"]


def test_it_does_not_wait_for_ever(tmp_path: Path) -> None:
    end(hold_lock(tmp_path, "1"))

    with (
        pytest.raises(ConfigurationError, match="in use by process"),
        datadir.locked(tmp_path, notify=lambda _line: None, wait_s=0.1),
    ):
        pass


def test_a_secret_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "secret"

    datadir.write_secret(path, "first")
    datadir.write_secret(path, "second")

    assert datadir.read_secret(path) == "second"
    assert mode(path) == 0o600
    assert list(tmp_path.iterdir()) == [path], "no draft is left"


def test_reading_secrets(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")

    assert datadir.read_secret(tmp_path / "missing") is None
    assert datadir.read_secret(tmp_path / "empty") is None
    with pytest.raises(ConfigurationError, match="Cannot read"):
        datadir.read_secret(tmp_path)


def test_the_secret_key_is_made_once(tmp_path: Path) -> None:
    path = tmp_path / "secret-key"

    datadir.ensure_secret_key(path)
    key = datadir.read_secret(path)
    datadir.ensure_secret_key(path)

    assert key is not None
    assert len(key) >= 48
    assert datadir.read_secret(path) == key
