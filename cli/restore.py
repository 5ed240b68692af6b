"""`pneumoscreen restore`: an embedded service's data directory, from a file that `pneumoscreen backup` wrote."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from core import settings
from launcher import datadir, snapshot


def restore(
    file: Annotated[Path, typer.Argument(help="A file that `pneumoscreen backup` wrote.")],
) -> None:
    """Put a backup into an empty data directory; `pneumoscreen up` goes on from there.

    Example:

      PNEUMOSCREEN_DATA_DIR=/srv/pneumoscreen pneumoscreen restore /mnt/backup/monday.tar
    """
    os.umask(0o077)  # whatever is created is for its owner alone
    data_dir = datadir.of_embedded(settings.load())
    count = snapshot.read(file, data_dir)
    typer.echo(f"restored {count} files to {data_dir}; start it with `pneumoscreen up --data-dir {data_dir}`")
