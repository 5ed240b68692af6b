"""`pneumoscreen model list|show|import|activate`: which checkpoints there are, and which one screens."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from core import settings
from model.registry import Entry, Registry

app = typer.Typer(add_completion=False, no_args_is_help=True, help="List, show, import and activate models.")

Key = Annotated[str, typer.Argument(help="Name, or first digits of the sha256; `default` is the shipped model.")]


@app.command("list")
def list_() -> None:
    """List all models; the active one has a star."""
    for entry in _registry().list():
        typer.echo(_line(entry))


@app.command()
def show(key: Key) -> None:
    """Print a model's card as JSON."""
    typer.echo(_registry().get(key).card.model_dump_json(indent=2))


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="A checkpoint made by `pneumoscreen train`.")],
    activate: Annotated[bool, typer.Option("--activate", help="Also make it the one that screens.")] = False,
) -> None:
    """Add a checkpoint to this installation's models."""
    registry = _registry()
    entry = registry.import_(file)
    typer.echo(_line(registry.activate(entry.sha256) if activate else entry))


@app.command()
def activate(key: Key) -> None:
    """Make a model the one that screens; workers take it when they next start."""
    typer.echo(_line(_registry().activate(key)))


def _registry() -> Registry:
    return Registry(settings.load().storage.models)


def _line(entry: Entry) -> str:
    star = "*" if entry.active else " "
    return f"{star} {entry.name}  {entry.sha256[:12]}  threshold {entry.card.operating_point.threshold:g}"
