"""What commands that make a checkpoint anew from another one and its training images are given."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Checkpoint = Annotated[Path, typer.Argument(help="A checkpoint made by `pneumoscreen train`.")]
TrainingData = Annotated[
    Path, typer.Argument(help="The images it was trained on: a folder in Kaggle's layout, or a .tar.")
]
Out = Annotated[Path, typer.Option(help="File to write; may be CHECKPOINT itself.")]
Seed = Annotated[int, typer.Option(help="Decides which images are drawn.")]
Ship = Annotated[bool, typer.Option("--ship", help="Also make OUT the checkout's default and write MODEL_CARD.md.")]
