"""`pneumoscreen lungs`: where the lungs lie on the images of data sets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def lungs(
    data: Annotated[
        list[Path],
        typer.Argument(help="Folders with NORMAL and PNEUMONIA, .tar or .zip files of such, or CSVs of path,label."),
    ],
    out: Annotated[Path, typer.Option(help="File of masks to write (.npz).")],
    steps: Annotated[int, typer.Option(min=1, help="Batches from which the lung network learns.")] = 600,
    seed: Annotated[int, typer.Option(help="The same seed gives the same masks.")] = 0,
) -> None:
    """Find the lungs on labelled chest X-rays, for `train` and `evaluate`. No drawn masks are needed."""
    from training.bars import Bars
    from training.data.dataset import read_dataset
    from training.lungs import masks
    from training.progress import stage

    with Bars() as bars:
        dataset = read_dataset(data, stage(bars.update, "reading images"), for_training=False)
        made = masks.make(dataset.pixels, dataset.labels == 0, steps=steps, seed=seed, progress=bars.update)
    masks.write(out, masks.LungMasks(dataset.names, made))
    typer.echo(f"{out}: lungs of {len(dataset.names)} images, {made.mean() / 255:.0%} of an image on average")
