"""`pneumoscreen model add-gate`: let a checkpoint tell what an image shows, and refuse more of what it must."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.model.arguments import Checkpoint, Out, Seed, Ship

Frontal = Annotated[
    list[Path],
    typer.Argument(help="Sets of frontal chest X-rays: folders in Kaggle's layout, .tar, or .csv with path and label."),
]
NotFrontal = Annotated[
    Path,
    typer.Option(
        help="A folder with a folder for each kind that is no frontal chest X-ray; that of lateral views: lateral…"
    ),
]


def add_gate(
    checkpoint: Checkpoint,
    data: Frontal,
    not_frontal: NotFrontal,
    out: Out,
    seed: Seed = 0,
    ship: Ship = False,
) -> None:
    """Add a gate to a checkpoint; weights and operating point stay as they are. Takes some minutes.

    A .csv may have a column view (PA or AP), from which the gate learns to tell them apart.
    """
    from training.bars import Bars
    from training.calibrate import gate
    from training.calibrate.gate_sets import by_source
    from training.data.dataset import read_dataset
    from training.progress import stage
    from training.release.ship import ship_checkpoint

    with Bars() as bars:
        dataset = read_dataset(tuple(data), stage(bars.update, "reading images"), for_training=True)
        card = gate.add_gate(checkpoint, out, by_source(dataset), not_frontal, seed, stage(bars.update, "gate"))
    if card.gate is not None:
        for name, share in card.gate.refused.items():
            typer.echo(f"{name}: {share:.1%} refused")
        for name, share in card.gate.views.items():
            typer.echo(f"{name}: {share:.1%}")
    if ship:
        typer.echo(f"shipped as {ship_checkpoint(out)}")
