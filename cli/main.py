"""The command line as a whole: its commands, its version, and how it tells of errors."""

from __future__ import annotations

import importlib.metadata
import os
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from cli import commands
from core.errors import CONFIGURATION_STATUS, ConfigurationError, Conflict, InvalidInput, NotFound, PneumoscreenError

EXIT_ERROR = 1
USAGE_ERRORS = (ConfigurationError, InvalidInput, NotFound, Conflict)
"""What was typed or configured has to change: starting the command again would not help."""

EXTRAS = {
    **dict.fromkeys(("torch", "torchvision", "simplejpeg", "openvino"), "worker"),
    **dict.fromkeys(("lightning_fabric", "matplotlib", "optuna", "sklearn", "tomli_w"), "training"),
}
"""Packages that not every installation has, and the extra that brings each."""


class Group(TyperGroup):
    """Turns the errors that a user is meant to see into one sentence and an exit status."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except PneumoscreenError as error:
            _tell(error.message)
            raise typer.Exit(CONFIGURATION_STATUS if isinstance(error, USAGE_ERRORS) else EXIT_ERROR) from None
        except ModuleNotFoundError as error:
            if error.name not in EXTRAS:
                raise
            _tell(
                f"This command needs the package {error.name}, which is not installed here: "
                f"run it in the worker image, or install 'pneumoscreen[{EXTRAS[error.name]}]'."
            )
            raise typer.Exit(CONFIGURATION_STATUS) from None


def _tell(sentence: str) -> None:
    """To a person, or to the collector of JSON lines, which would drop a line of another form."""
    if os.environ.get("PNEUMOSCREEN_LOG_FORMAT") != "json":
        typer.echo(f"pneumoscreen: {sentence}", err=True)
        return
    import structlog  # noqa: PLC0415  # only a command that failed needs them

    from core import logs  # noqa: PLC0415
    from core.settings import Log, Settings  # noqa: PLC0415

    logs.configure(Settings(log=Log(format="json")), "command")  # the settings themselves may be what is wrong
    structlog.get_logger().error("command_failed", error=sentence)


app = typer.Typer(
    cls=Group,
    name="pneumoscreen",
    help=(
        "Screen chest X-rays for pneumonia: one image or an archive.\n\n"
        "Start with `pneumoscreen up`, then `pneumoscreen submit FOLDER`; or, without any service, "
        "`pneumoscreen screen FOLDER`. A research tool, never a diagnosis.\n\n"
        "Exit status: 0 all done, 1 an error, 2 wrong usage or configuration, 3 some images failed."
    ),
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,  # they may hold tokens and names of patients' files
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"pneumoscreen {version()}")
        raise typer.Exit


def version() -> str:
    """The installed version; "unknown" when run from a source tree that was never installed."""
    try:
        return importlib.metadata.version("pneumoscreen")
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


@app.callback()
def _options(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Options before the command."""


commands.add_all(app)


def main() -> None:
    """The console script's entry."""
    sys.exit(app(prog_name="pneumoscreen"))
