"""`pneumoscreen train`: a new checkpoint from labelled images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def train(
    data: Annotated[
        list[Path],
        typer.Argument(
            help="Folders in Kaggle's layout (train/NORMAL, …), .tar or .zip of such, or CSVs of path,label."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Run folder to write.")],
    backbone: Annotated[
        Path | None, typer.Option(help="ImageNet weights as safetensors; default: torchvision's download.")
    ] = None,
    config: Annotated[Path | None, typer.Option(help="TOML file; default: the one for children alone.")] = None,
    seed: Annotated[int | None, typer.Option(help="Overrides the configuration's seed.")] = None,
    originals: Annotated[
        Path | None, typer.Option(help="Labelled full-size files, to measure how JPEG quality moves predictions.")
    ] = None,
    not_frontal: Annotated[
        Path | None,
        typer.Option(
            help="Images that are no frontal chest X-ray, a folder for each kind: adds a gate that refuses them."
        ),
    ] = None,
    cache: Annotated[Path | None, typer.Option(help="Where networks or features are kept; default: OUT/cache.")] = None,
    ship: Annotated[
        bool, typer.Option("--ship", help="Make it the checkout's default and write MODEL_CARD.md.")
    ] = False,
) -> None:
    """Train a model. Interrupted, the same command goes on where it stopped."""
    from training.bars import Bars
    from training.config import DEFAULT_CONFIG, load_config
    from training.release.ship import ship_checkpoint
    from training.train import Inputs, train_model

    settings = load_config(config or DEFAULT_CONFIG, seed)
    with Bars() as bars:
        inputs = Inputs(tuple(data), backbone, cache or out / "cache", originals, not_frontal)
        card = train_model(inputs, out, settings, bars.update)
    test = card.metrics["test"]
    typer.echo(
        f"{out / 'model.safetensors'}: on {test['images']} test images accuracy {test['accuracy']:.3f}, "
        f"sensitivity {test['sensitivity']:.3f}, specificity {test['specificity']:.3f}, AUC {test['auc']:.3f}"
    )
    if ship:
        typer.echo(f"shipped as {ship_checkpoint(out / 'model.safetensors')}")
