"""`pneumoscreen tune`: look for better hyperparameters within a small budget."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def tune(
    data: Annotated[list[Path], typer.Argument(help="Labelled images, as for `pneumoscreen train`.")],
    out: Annotated[Path, typer.Option(help="Folder for trials, plot and the best configuration.")],
    config: Annotated[Path | None, typer.Option(help="TOML file to start from; default: that for children.")] = None,
    backbone: Annotated[
        Path | None, typer.Option(help="ImageNet weights as safetensors; default: torchvision's download.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Overrides the configuration's seed.")] = None,
    trials: Annotated[int, typer.Option(min=1, help="Trials in all, those of earlier runs included.")] = 12,
    epochs: Annotated[int, typer.Option(min=1, help="Epochs of each trial.")] = 3,
    images: Annotated[int, typer.Option(min=32, help="Training images of each trial, and validation images.")] = 800,
    size: Annotated[int, typer.Option(min=32, max=224, help="Side of the images, in pixels.")] = 96,
) -> None:
    """Tune learning rates, regularisation and distortions. Interrupted, the same command goes on where it stopped."""
    from training.bars import Bars
    from training.config import DEFAULT_CONFIG, load_config
    from training.search.tune import Budget, prepare_search, run_search

    settings = load_config(config or DEFAULT_CONFIG, seed)
    budget = Budget(trials, epochs, images, size)
    with Bars() as bars:
        search = prepare_search(data, backbone, out, settings, budget, bars.update)
        study = run_search(search)
    best = study.best_trial
    typer.echo(f"trial {best.number + 1} of {trials} is best, with a validation AUC of {study.best_value:.4f}; next:")
    sets = " ".join(map(str, data))
    sets = " ".join(map(str, data))
    typer.echo(f"  pneumoscreen train {sets} --config {out / 'best.toml'} --out FOLDER")
