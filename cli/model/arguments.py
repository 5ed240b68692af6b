"""Arguments of the commands that make a new checkpoint from another one and from the images it was trained on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Checkpoint = Annotated[Path, typer.Argument(help="A checkpoint made by `pneumoscreen train`.")]
TrainingData = Annotated[list[Path], typer.Argument(help="The images it was trained on, as for `pneumoscreen train`.")]
Out = Annotated[Path, typer.Option(help="File to write; may be CHECKPOINT itself.")]
Seed = Annotated[int, typer.Option(help="Decides which images are drawn.")]
Ship = Annotated[bool, typer.Option("--ship", help="Also make OUT the checkout's default and write MODEL_CARD.md.")]
