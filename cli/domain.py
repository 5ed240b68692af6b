"""`pneumoscreen model add-domain`: let a checkpoint refuse what it was not made for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def add_domain(
    checkpoint: Annotated[Path, typer.Argument(help="A checkpoint made by `pneumoscreen train`.")],
    data: Annotated[Path, typer.Argument(help="The images it was trained on: a folder in Kaggle's layout, or a .tar.")],
    out: Annotated[Path, typer.Option(help="File to write; may be CHECKPOINT itself.")],
    seed: Annotated[int, typer.Option(help="Decides which images are drawn.")] = 0,
    ship: Annotated[
        bool, typer.Option("--ship", help="Also make OUT the checkout's default and write MODEL_CARD.md.")
    ] = False,
) -> None:
    """Add domain statistics to a checkpoint; weights and operating point stay as they are. Takes a few minutes."""
    from training import data as datasets
    from training import domain
    from training import ship as shipping
    from training.bars import Bars
    from training.progress import stage

    with Bars() as bars:
        dataset = datasets.read(data, stage(bars.update, "reading images"), for_training=True)
        card = domain.add(checkpoint, out, dataset, seed, stage(bars.update, "domain statistics"))
    refused = card.domain.refused if card.domain else {}
    shares = ", ".join(f"{name} {share:.1%}" for name, share in refused.items())
    typer.echo(f"{out}: refused of held-out patients' images: {shares}")
    if ship:
        typer.echo(f"shipped as {shipping.ship(out)}")
