"""`pneumoscreen backup` and `restore`: an embedded service's data directory as one file, and back."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from core.errors import ConfigurationError

if TYPE_CHECKING:
    from core.settings import Settings


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
    from core import settings
    from launcher import snapshot

    os.umask(0o077)  # whatever is created is for its owner alone
    count = snapshot.write(_embedded(settings.load()), file)
    typer.echo(f"saved {count} files to {file}")


def restore(
    file: Annotated[Path, typer.Argument(help="A file that `pneumoscreen backup` wrote.")],
) -> None:
    """Put a backup into an empty data directory; `pneumoscreen up` goes on from there.

    Example:

      PNEUMOSCREEN_DATA_DIR=/srv/pneumoscreen pneumoscreen restore /mnt/backup/monday.tar
    """
    from core import settings
    from launcher import snapshot

    os.umask(0o077)  # whatever is created is for its owner alone
    data_dir = _embedded(settings.load())
    count = snapshot.read(file, data_dir)
    typer.echo(f"restored {count} files to {data_dir}; start it with `pneumoscreen up --data-dir {data_dir}`")


def _embedded(settings: Settings) -> Path:
    """The data directory, if all that a service keeps is in it.

    Raises:
        ConfigurationError: database, images or models are elsewhere.
    """
    elsewhere = {
        "DATABASE_URL": settings.storage.database_url.get_secret_value(),
        "STORAGE_URL": settings.storage.storage_url,
        "BLOB_DIR": settings.storage.blob_dir,
        "MODELS_DIR": settings.storage.models_dir,
    }
    if names := [f"PNEUMOSCREEN_{name}" for name, value in elsewhere.items() if value]:
        raise ConfigurationError(
            f"This is for a service whose data is all in its data directory, and {', '.join(names)} is set: "
            "see docs/deployment.md for the back-up of such a service."
        )
    return settings.storage.data_dir.expanduser().resolve()
