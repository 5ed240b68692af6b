"""The commands by name. Each is imported when it is called, so that the help page of all of them answers at once."""

from __future__ import annotations

import importlib
from typing import Any

import typer
from typer.core import TyperCommand

from cli import deferred

HELP_LINES = {
    "Use it": {
        "up": "Start everything on this machine: web pages, API, queue and workers.",
        "submit": "Send chest X-rays (JPEG or PNG) to a running service and show the results.",
        "screen": "Screen chest X-rays (JPEG or PNG) right here, without a service.",
    },
    "Administer it": {
        "backup": "Save what `pneumoscreen up` keeps in its data directory: database, images, models, secrets.",
        "restore": "Put a backup into an empty data directory; `pneumoscreen up` goes on from there.",
        "user": "Add, list and disable the people who may sign in.",
        "token": "Create, list and revoke API tokens.",
        "db": "Create or upgrade the database's schema; delete what is past its time.",
    },
    "Run its processes one by one": {
        "web": "Serve the pages and the API (one of the service's processes).",
        "worker": "Screen queued images (start one process a GPU).",
        "sweeper": "Put right what a crash left behind (one of the service's processes).",
    },
    "Models and training": {
        "train": "Train a model. Interrupted, the same command goes on where it stopped.",
        "lungs": "Find the lungs on labelled chest X-rays, for `train` and `evaluate`. No drawn masks are needed.",
        "tune": "Tune learning rates, regularisation and distortions. "
        "Interrupted, the same command goes on where it stopped.",
        "cross-validate": "Measure recipes on patients, or on whole sources, that they were not trained on. "
        "Interrupted, the same command goes on where it stopped.",
        "evaluate": "Measure a model through the same decoding, preprocessing and network as in screening.",
        "model": "List, show, import and activate models.",
    },
}
"""By panel of the help page: each command with the first paragraph of its own help, word for word (a test compares)."""


def add_all(app: typer.Typer) -> None:
    """Give `app` every command, in the panels of its help page."""
    for panel, help_lines in HELP_LINES.items():
        for name, help_line in help_lines.items():
            app.command(name, cls=ImportedWhenCalled, help=help_line, rich_help_panel=panel)(_never_called)


class ImportedWhenCalled(TyperCommand):
    """A command's name and help line. Its context is that of the command itself, which so reads its own arguments."""

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        return load(str(self.name)).make_context(info_name, args, parent, **extra)


def _never_called() -> None:
    """What typer has to be given for a command; the one that `load` imports is called."""


def load(name: str) -> Any:
    """Import `cli/<name>.py`, with `_` for `-`: the group of commands that it calls `app`, else its function of that
    name.

    The modules that it imports are loaded when the command uses them, so its help page does not wait for them either.
    """
    with deferred.imports():
        identifier = name.replace("-", "_")
        module = importlib.import_module(f"cli.{identifier}")
        app = getattr(module, "app", None)
        if app is None:
            app = typer.Typer(add_completion=False)
            app.command(name)(getattr(module, identifier))
        return typer.main.get_command(app)
