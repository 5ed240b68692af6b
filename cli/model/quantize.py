"""`pneumoscreen model quantize`: let a checkpoint run on 8-bit integers, about twice as fast on a CPU."""

from __future__ import annotations

import typer

from cli.model.arguments import Checkpoint, Out, Seed, Ship, TrainingData


def quantize(checkpoint: Checkpoint, data: TrainingData, out: Out, seed: Seed = 0, ship: Ship = False) -> None:
    """Measure the ranges of a checkpoint's activations; weights and operating point stay as they are.

    They are measured on training images. How far the model then agrees with itself in float32 is measured on its
    validation part: the engine `auto` takes int8 only where that is good. Takes a few minutes.
    """
    from training.bars import Bars
    from training.data.dataset import read_dataset
    from training.progress import stage
    from training.release.quantize import add_quantization
    from training.release.ship import ship_checkpoint

    with Bars() as bars:
        dataset = read_dataset(data, stage(bars.update, "reading images"), for_training=True)
        card = add_quantization(checkpoint, out, dataset, seed, bars.update)
    section = card.quantization
    if section is not None:
        for part, agreement in section.agreement.items():
            typer.echo(
                f"{out}: in int8 {agreement.equal_decisions:.2%} of {agreement.images} {part} images "
                "get the same answer; "
                f"99 of 100 probabilities change by no more than {agreement.probability_change_p99:.4f}"
            )
        typer.echo(f"the engine auto {'takes' if section.good else 'does not take'} int8 for it")
    if ship:
        typer.echo(f"shipped as {ship_checkpoint(out)}")
