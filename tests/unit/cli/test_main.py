"""The command line as a whole: help, versions, errors, and how little it imports."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys

import pytest

from cli import commands, main
from core.errors import ConfigurationError, Conflict, CorruptImage, InvalidInput, NotFound
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
    ("error", "status"),
    [
        (ConfigurationError("Set the thing."), 2),
        (NotFound("There is no user named 'bob'."), 2),
        (Conflict("There is already a user named 'ada'."), 2),
        (InvalidInput("A password has at least 12 characters."), 2),
        (CorruptImage("It is damaged."), 1),
    ],
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


HEAVY = {"torch", "sqlalchemy", "flask", "celery", "numpy", "httpx", "redis", "pydantic"}
EXTRAS = sorted(main.EXTRAS)
SINGLE = [name for lines in commands.HELP_LINES.values() for name in lines]


def test_the_help_page_of_all_commands_imports_none_of_them() -> None:
    out = run_python(
        "import sys; from cli.main import app\n"
        "try: app(['--help'], prog_name='pneumoscreen')\n"
        "except SystemExit: pass\n"
        f"print(sorted({HEAVY} & set(sys.modules)))\n"
        "print(sorted(name for name in sys.modules if name.startswith('cli.')))"
    )

    assert out.splitlines()[-2:] == ["[]", "['cli.commands', 'cli.deferred', 'cli.main']"]


@pytest.mark.parametrize("name", SINGLE)
def test_the_help_of_a_command_loads_nothing_of_what_it_needs_to_run(name: str) -> None:
    out = run_python(
        "import sys; from cli.main import app\n"
        f"try: app(['{name}', '--help'], prog_name='pneumoscreen')\n"
        "except SystemExit: pass\n"
        f"print(sorted({HEAVY - {'pydantic'}} & set(sys.modules)))"  # typer itself imports pydantic for an option
    )

    assert out.splitlines()[-1] == "[]"


def test_every_command_explains_itself_where_no_extra_is_installed() -> None:
    """As in the web image, which has neither torch nor training."""
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({EXTRAS}))\n"
        "from cli.main import app\n"
        f"for name in {SINGLE}:\n"
        "    try: app([name, '--help'], prog_name='pneumoscreen')\n"
        "    except SystemExit as end: assert end.code == 0, name\n"
        "print('all explained')"
    )

    assert run_python(code).splitlines()[-1] == "all explained"


@pytest.mark.parametrize(("name", "line"), [pair for lines in commands.HELP_LINES.values() for pair in lines.items()])
def test_the_help_line_is_the_first_paragraph_of_the_commands_own_help(name: str, line: str) -> None:
    own = commands.load(name).help

    assert " ".join(own.split("\n\n")[0].split()) == line


def run_python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


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
