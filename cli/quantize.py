"""`pneumoscreen model quantize`: let a checkpoint run on 8-bit integers, about twice as fast on a CPU."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def quantize(
    checkpoint: Annotated[Path, typer.Argument(help="A checkpoint made by `pneumoscreen train`.")],
    data: Annotated[Path, typer.Argument(help="The images it was trained on: a folder in Kaggle's layout, or a .tar.")],
    out: Annotated[Path, typer.Option(help="File to write; may be CHECKPOINT itself.")],
    seed: Annotated[int, typer.Option(help="Decides which images are drawn.")] = 0,
    ship: Annotated[
        bool, typer.Option("--ship", help="Also make OUT the checkout's default and write MODEL_CARD.md.")
    ] = False,
) -> None:
    """Measure the ranges of a checkpoint's activations; weights and operating point stay as they are.

    They are measured on training images. How far the model then agrees with itself in float32 is measured on its
    validation part: the engine `auto` takes int8 only where that is good. Takes a few minutes.
    """
    from training import data as datasets
    from training import quantize as quantizing
    from training import ship as shipping
    from training.bars import Bars
    from training.progress import stage

    with Bars() as bars:
        dataset = datasets.read(data, stage(bars.update, "reading images"), for_training=True)
        card = quantizing.add(checkpoint, out, dataset, seed, bars.update)
    section = card.quantization
    if section is not None:
        for part, its in section.agreement.items():
            typer.echo(
                f"{out}: in int8 {its.equal_decisions:.2%} of {its.images} {part} images get the same answer; "
                f"99 of 100 probabilities change by no more than {its.probability_change_p99:.4f}"
            )
        typer.echo(f"the engine auto {'takes' if section.good else 'does not take'} int8 for it")
    if ship:
        typer.echo(f"shipped as {shipping.ship(out)}")
