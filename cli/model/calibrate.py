"""`pneumoscreen model calibrate`: a new version of a model with a site's own operating point."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from cli import catalog
from core import settings
from core.errors import InvalidInput

if TYPE_CHECKING:
    from training.calibrate.site_figures import Comparison, PointFigures


def calibrate(
    folder: Annotated[Path, typer.Argument(help="Your own images: a folder with NORMAL and PNEUMONIA, or a .tar.")],
    name: Annotated[str, typer.Option(help="Of the new version; default: the model's own with -site.")] = "",
    model: Annotated[str, typer.Option(help="Model to start from; default: the active one.")] = "",
    platt: Annotated[
        bool, typer.Option("--platt", help="Also refit the probability to your images (Platt scaling).")
    ] = False,
    activate: Annotated[
        bool, typer.Option("--activate", help="Make it the one that screens, after showing the effect.")
    ] = False,
) -> None:
    """Set a model's operating point on your own labelled images, as a new version.

    The point maximises the mean of sensitivity and specificity on your images. Figures after the change are
    cross-validated over patients. The weights stay as they are, and so does the version you start from.
    """
    from pydantic import ValidationError

    from training.bars import Bars
    from training.calibrate import site
    from training.data.dataset import read_dataset
    from training.progress import stage
    from training.release import quantize

    configured = settings.load()
    if activate:
        with catalog.service(configured):
            pass  # that there is none is told now, not after minutes
    with catalog.checkpoint(configured, model) as entry, tempfile.TemporaryDirectory() as scratch:
        with Bars() as bars:
            dataset = read_dataset([folder], stage(bars.update, "reading images"), for_training=False)
            scores = site.judge(entry, configured.worker.engine, dataset, stage(bars.update, "predicting"))
        try:
            proposal = site.propose(entry, scores, name or f"{entry.name}-site", platt=platt)
        except ValidationError as error:
            raise InvalidInput(
                f"{name or entry.name!r} cannot be a model's name: {error.errors()[0]['msg']}."
            ) from None
        Console().print(_table(proposal.comparison))
        if scores.refused:
            typer.echo(f"{scores.refused} images were left out: the model refuses to judge them.")
        file = Path(scratch) / "site.safetensors"
        site.save(entry, proposal, file)
        with Bars() as bars:
            quantize.measure_site(file, dataset.pixels, stage(bars.update, "int8 agreement"))
        with catalog.opened(configured) as models:
            made = models.import_(file)
    typer.echo(f"Saved as {made.name} {made.sha256[:12]}, from {entry.name} {entry.sha256[:12]}.")
    if activate:
        with catalog.service(configured) as service:
            service.activate(made.sha256)
        typer.echo("It is active now; running workers change to it within seconds.")
    else:
        typer.echo(f"Nothing is activated yet. To do so: pneumoscreen model activate {made.sha256[:12]}")


def _table(comparison: Comparison) -> Table:
    before, after = comparison.before, comparison.after
    table = Table("figure", "before", "after, cross-validated", title=f"Your {before.images} images")
    table.add_row("operating point", f"{before.threshold:g}", f"{after.threshold:g}")
    for figure in ("sensitivity", "specificity", "accuracy"):
        table.add_row(figure, _figure(before, figure), _figure(after, figure))
    for row, label in enumerate(("NORMAL", "PNEUMONIA")):
        counts = (" / ".join(map(str, figures.confusion[row])) for figures in (before, after))
        table.add_row(f"{label} called normal / pneumonia", *counts)
    return table


def _figure(figures: PointFigures, name: str) -> str:
    low, high = figures.intervals[name]
    return f"{getattr(figures, name):.3f} ({low:.3f} to {high:.3f})"
