"""`pneumoscreen cross-validate`: what a recipe reaches on patients or hospitals that it was not trained on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from training.holdout.summary import Figure, Summary


def cross_validate(
    data: Annotated[
        list[Path],
        typer.Argument(help="Folders with NORMAL and PNEUMONIA, .tar or .zip files of such, or CSVs of path,label."),
    ],
    out: Annotated[Path, typer.Option(help="Folder for the figures (JSON) and, by default, the cache.")],
    config: Annotated[
        list[Path] | None, typer.Option(help="TOML file; several are compared. Default: the shipped model's.")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds, from the configuration's own on.")] = 3,
    hold_out: Annotated[
        list[str] | None,
        typer.Option(help="A source that is not trained on, and measured; `all`: each in turn. Default: patients."),
    ] = None,
    backbone: Annotated[
        Path | None, typer.Option(help="ImageNet weights as safetensors; default: torchvision's download.")
    ] = None,
    cache: Annotated[
        Path | None, typer.Option(help="Where networks are kept, `train` uses them too; default: OUT/cache.")
    ] = None,
) -> None:
    """Measure recipes on patients, or on whole sources, that they were not trained on.
    Interrupted, the same command goes on where it stopped."""
    from training.bars import Bars
    from training.config import DEFAULT_CONFIG, load_config
    from training.holdout.validate import Plan, cross_validate

    files = config or [DEFAULT_CONFIG]
    configs = {file.stem: load_config(file) for file in files}
    if len(configs) < len(files):
        raise typer.BadParameter("Two configurations have the same file name, so the table could not tell them apart.")
    plan = Plan(tuple(data), configs, seeds, tuple(hold_out or ()), backbone, cache or out / "cache")
    name = "sources.json" if plan.hold_out else "patients.json"
    with Bars() as bars:
        summaries = cross_validate(plan, out / name, bars.update)
    typer.echo("| configuration | not trained on | group | normal | pneumonia | AUC | sensitivity | specificity |")
    typer.echo("|---|---|---|---|---|---|---|---|")
    for summary in summaries:
        _print_rows(summary)


def _print_rows(summary: Summary) -> None:
    held_out = "its patients" if summary.held_out is None else summary.held_out
    for name, group in summary.groups.items():
        figures = (_shown(group.auc), _shown(group.sensitivity), _shown(group.specificity))
        cells = (summary.config, held_out, name, str(group.normal), str(group.pneumonia), *figures)
        typer.echo(f"| {' | '.join(cells)} |")


def _shown(figure: Figure | None) -> str:
    """The mean over seeds, with its standard deviation and its interval over patients where there are any."""
    if figure is None:
        return "none"
    spread = "" if figure.sd is None else f" ± {figure.sd:.3f}"
    interval = "" if figure.interval is None else f" ({figure.interval[0]:.3f} to {figure.interval[1]:.3f})"
    return f"{figure.mean:.3f}{spread}{interval}"
