"""`pneumoscreen model list|show|import|activate`: which checkpoints there are, and which one screens."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli import catalog
from core import settings

if TYPE_CHECKING:
    from model.registry import Entry
    from services.deployments import KnownModel

app = typer.Typer(add_completion=False, no_args_is_help=True, help="List, show, import and activate models.")

Key = Annotated[
    str,
    typer.Argument(help="Name, or first digits of the sha256. With the code come `default` and `paediatric`."),
]


@app.command("list")
def list_() -> None:
    """List all models; the active one has a star."""
    with catalog.opened(settings.load()) as models:
        primary = models.primary().sha256
        for model in models.list():
            typer.echo(line(model, active=model.sha256 == primary))


@app.command()
def show(key: Key) -> None:
    """Print a model's card as JSON."""
    with catalog.opened(settings.load()) as models:
        typer.echo(models.get(key).card.model_dump_json(indent=2))


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="A checkpoint made by `pneumoscreen train`.")],
    activate: Annotated[bool, typer.Option("--activate", help="Also make it the one that screens.")] = False,
) -> None:
    """Add a checkpoint to this installation's models.

    It goes to the image storage, where all workers find it. Where there is no
    service yet it goes to the folder of models, which `pneumoscreen screen`
    reads and `pneumoscreen up` takes over.
    """
    configured = settings.load()
    if activate:
        with catalog.service(configured) as service:
            typer.echo(line(service.activate(service.import_(file).sha256), active=True))
        return
    with catalog.opened(configured) as models:
        made = models.import_(file)
        typer.echo(line(made, active=made.sha256 == models.primary().sha256))


@app.command()
def activate(key: Key) -> None:
    """Make a model the one that screens; running workers change to it within seconds."""
    with catalog.service(settings.load()) as service:
        typer.echo(line(service.activate(key), active=True))


def line(model: Entry | KnownModel, *, active: bool) -> str:
    """A model in the list: a star if it screens, name, hash, and from which probability on it calls pneumonia."""
    star = "*" if active else " "
    points = model.card.populations
    threshold = f"{model.card.operating_point.threshold:g}"
    if points is not None:
        threshold = f"{points.child.threshold:g} (children), {points.adult.threshold:g} (adults)"
    return f"{star} {model.name}  {model.sha256[:12]}  threshold {threshold}"
