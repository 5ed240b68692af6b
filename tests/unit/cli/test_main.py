"""The command line as a whole: help, versions, errors, and how little it imports."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys

import pytest

from cli import main
from core.errors import ConfigurationError, CorruptImage
from tests.unit.cli.conftest import Invoke

COMMANDS = [
    ("up",),
    ("submit",),
    ("screen",),
    ("web",),
    ("worker",),
    ("sweeper",),
    ("train",),
    ("evaluate",),
    ("db", "upgrade"),
    ("db", "current"),
    ("user", "add"),
    ("user", "list"),
    ("user", "password"),
    ("user", "disable"),
    ("user", "enable"),
    ("token", "create"),
    ("token", "list"),
    ("token", "revoke"),
    ("model", "list"),
    ("model", "show"),
    ("model", "import"),
    ("model", "activate"),
]
OURS = [command for command in COMMANDS if command[0] not in ("train", "evaluate", "model")]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_explains_itself(invoke: Invoke, command: tuple[str, ...]) -> None:
    result = invoke(*command, "--help")

    assert result.exit_code == 0
    assert "Usage:" in result.stdout
    description = result.stdout.split("Usage:")[1].splitlines()[2]
    assert len(description.split()) >= 3, "a sentence, not a word"


@pytest.mark.parametrize("command", OURS, ids=" ".join)
def test_help_shows_an_example_that_can_be_typed(invoke: Invoke, command: tuple[str, ...]) -> None:
    result = invoke(*command, "--help")

    assert "Example" in result.stdout
    assert "pneumoscreen " + " ".join(command) in result.stdout.split("Example")[1]


def test_without_a_command_it_shows_the_help_and_exits_2(invoke: Invoke) -> None:
    result = invoke()

    assert result.exit_code == 2
    assert "never a diagnosis" in result.output


def test_h_is_help(invoke: Invoke) -> None:
    assert "Usage: " in invoke("-h").stdout


def test_version(invoke: Invoke) -> None:
    result = invoke("--version")

    assert result.exit_code == 0
    assert result.stdout == f"pneumoscreen {main.version()}\n"


def test_version_of_a_tree_that_was_never_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_name: str) -> str:
        raise importlib.metadata.PackageNotFoundError

    monkeypatch.setattr("importlib.metadata.version", missing)

    assert main.version() == "unknown"


@pytest.mark.parametrize(
    ("error", "status"), [(ConfigurationError("Set the thing."), 2), (CorruptImage("It is damaged."), 1)]
)
def test_an_expected_error_is_one_sentence(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int
) -> None:
    def fail() -> str:
        raise error

    monkeypatch.setattr("cli.database.url", fail)

    result = invoke("db", "current")

    assert result.exit_code == status
    assert result.stderr == f"pneumoscreen: {error}\n"
    assert result.stdout == ""


def test_an_unexpected_error_is_not_swallowed(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> str:
        raise ZeroDivisionError

    monkeypatch.setattr("cli.database.url", fail)

    assert isinstance(invoke("db", "current").exception, ZeroDivisionError)


def test_ctrl_c_is_quiet(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt() -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr("cli.database.url", interrupt)

    result = invoke("db", "current")

    assert result.exit_code == 130
    assert result.output == ""


def test_a_wrong_setting_is_named(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PNEUMOSCREEN_WEB_PORT", "many")

    result = invoke("db", "current")

    assert result.exit_code == 2
    assert "PNEUMOSCREEN_WEB_PORT" in result.stderr


@pytest.mark.parametrize("arguments", [["--help"], ["submit", "--help"], ["up", "--help"]])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys; from cli.main import app\n"
        f"try: app({arguments!r}, prog_name='pneumoscreen')\n"
        "except SystemExit: pass\n"
        "print(sorted({'torch', 'sqlalchemy', 'flask', 'celery', 'numpy', 'httpx', 'redis'} & set(sys.modules)))"
    )

    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert out.splitlines()[-1] == "[]"


def test_submit_runs_without_torch_or_a_database() -> None:
    code = (
        "import sys; import cli.submit, cli.table\n"
        "import client.http, client.upload, client.watch, client.sources, client.csv_file\n"
        "print(sorted({'torch', 'sqlalchemy', 'flask', 'celery'} & set(sys.modules)))"
    )

    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert out == "[]\n"


def test_python_m_cli_is_the_same_program() -> None:
    out = subprocess.run([sys.executable, "-m", "cli", "--version"], capture_output=True, text=True, check=True).stdout

    assert out.startswith("pneumoscreen ")
