"""`pneumoscreen model add-domain`: let a checkpoint refuse what it was not made for."""

from __future__ import annotations

import typer

from cli.model.arguments import Checkpoint, Out, Seed, Ship, TrainingData


def add_domain(checkpoint: Checkpoint, data: TrainingData, out: Out, seed: Seed = 0, ship: Ship = False) -> None:
    """Add domain statistics to a checkpoint; weights and operating point stay as they are. Takes a few minutes."""
    from training.bars import Bars
    from training.calibrate import ood
    from training.data.dataset import read_dataset
    from training.progress import stage
    from training.release.ship import ship_checkpoint

    with Bars() as bars:
        dataset = read_dataset(data, stage(bars.update, "reading images"), for_training=True)
        card = ood.add_ood_statistics(
            checkpoint, out, dataset, seed, stage(bars.update, "statistics of the training images")
        )
    refused = card.ood.refused if card.ood else {}
    shares = ", ".join(f"{name} {share:.1%}" for name, share in refused.items())
    typer.echo(f"{out}: refused of held-out patients' images: {shares}")
    if ship:
        typer.echo(f"shipped as {ship_checkpoint(out)}")
