"""`pneumoscreen backup`: an embedded service's data directory as one file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from core import settings
from launcher import datadir, snapshot


def backup(
    file: Annotated[
        Path, typer.Argument(help="The file to write, which must not exist yet; only its owner may read it.")
    ],
) -> None:
    """Save what `pneumoscreen up` keeps in its data directory: database, images, models, secrets.

    The service may run meanwhile. The file holds patients' data and passwords: encrypt it, keep it elsewhere.

    Example:

      pneumoscreen backup /mnt/backup/monday.tar
    """
    os.umask(0o077)  # whatever is created is for its owner alone
    count = snapshot.write(datadir.of_embedded(settings.load()), file)
    typer.echo(f"saved {count} files to {file}")
