"""`up`: what is checked before anything is started."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli import up
from tests.unit.cli.conftest import Invoke


@pytest.fixture
def restored_umask() -> Iterator[None]:
    mask = os.umask(0o022)
    os.umask(mask)
    yield
    os.umask(mask)


@pytest.mark.usefixtures("restored_umask")
def test_a_port_in_use(invoke: Invoke, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        result = invoke("up", "--port", str(port), "--data-dir", tmp_path / "data")

    assert result.exit_code == 2
    assert result.stderr == (
        f"pneumoscreen: Port {port} is in use by another program; stop it, or choose another with --port.\n"
    )


@pytest.mark.usefixtures("restored_umask")
def test_the_port_of_the_settings_is_the_default(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        monkeypatch.setenv("PNEUMOSCREEN_WEB_PORT", str(port))

        result = invoke("up", "--data-dir", tmp_path / "data")

    assert f"Port {port} is in use" in result.stderr


@pytest.mark.usefixtures("restored_umask")
def test_a_data_directory_that_is_a_file(invoke: Invoke, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("x")

    result = invoke("up", "--data-dir", tmp_path / "data")

    assert result.exit_code == 2
    assert "is not a directory" in result.stderr


def test_a_closed_terminal_does_not_take_the_service_down(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []

    def broken(line: str, *, err: bool) -> None:
        assert not err
        said.append(line)
        raise BrokenPipeError

    monkeypatch.setattr("typer.echo", broken)

    up._say("hello")

    assert said == ["hello"]
