"""`pneumoscreen db`: the database's schema, and what is kept for how long."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import typer

from cli import database
from core import settings
from db import audit, migrate, stores
from db.retention import erasure
from services import schema
from storage import open as storage_open

app = typer.Typer(
    help="Create or upgrade the database's schema; delete what is past its time.",
    no_args_is_help=True,
    add_completion=False,
)


@app.command()
def upgrade() -> None:
    """Bring the database to this version's schema; creates it when it is empty.

    An empty database also gets its image storage: the folder or bucket of the
    settings receives a marker by which it is recognised. Checkpoints in the
    folder of models are taken over into it.

    `pneumoscreen up` does this by itself. Safe to run again, and from several hosts at once.

    Works on PNEUMOSCREEN_DATABASE_URL, else on the file in the data directory.

    Example:

      pneumoscreen db upgrade
    """
    before, after, problems = schema.upgrade(settings.load())
    typer.echo(f"already at {after}" if before == after else f"upgraded from {before or 'empty'} to {after}")
    for problem in problems:
        typer.echo(f"pneumoscreen: {problem}", err=True)


@app.command("adopt-store")
def adopt_store() -> None:
    """Say that the image storage of the settings is the one of this database.

    Needed once after a restore, or after moving the images, when the service
    says that its storage is missing or another one. Look before you say so:
    images whose bytes are not there cannot be screened, and bytes that no
    image names are deleted a day later.

    Example:

      pneumoscreen db adopt-store
    """
    with database.connected() as open_database:
        stores.adopt(open_database, storage_open.open_store(settings.load()))
    typer.echo("this storage is the one of this database now")


@app.command()
def current() -> None:
    """Show the schema's revision, and the newest that this version knows.

    Example:

      pneumoscreen db current
    """
    url = database.url()
    database.require_file(url)
    with schema.explained(url):
        at, newest = migrate.current(url)
    suffix = "" if at == newest else f" (this version needs {newest}: run `pneumoscreen db upgrade`)"
    typer.echo(f"{at or 'empty'}{suffix}")


@app.command()
def purge(
    older_than_days: Annotated[
        int | None,
        typer.Option(min=1, help="Delete jobs in which nothing was sent or screened for so long; default: none."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count what would go.")] = False,
) -> None:
    """Delete old jobs with their images, results, reviews and bytes; always, what crashes left in the blob store.

    The audit log keeps the number of each job. Without a way back: try --dry-run first.
    The sweeper does the same by itself if PNEUMOSCREEN_RETENTION_DAYS is set.

    Examples:

      pneumoscreen db purge --older-than-days 365 --dry-run

      pneumoscreen db purge --older-than-days 365
    """
    with database.connected() as open_database:
        store = storage_open.open_store(settings.load())
        stores.StoreCheck(open_database, store).require()
        jobs = 0
        if older_than_days is not None:
            age = timedelta(days=older_than_days)
            if dry_run:
                jobs = erasure.count_expired(open_database, older_than=age)
            else:
                while some := erasure.purge(open_database, audit.CLI, older_than=age):
                    jobs += len(some)
        left = sum(
            erasure.mark_orphaned(open_database, store, first_byte, dry_run=dry_run)
            for first_byte in range(erasure.PREFIXES)
        )
        if dry_run:
            typer.echo(f"would delete {jobs} jobs and {left} files that belong to no image")
            return
        spools = store.drop_spools(erasure.orphaned_before())
        removed = erasure.erase(open_database, store).blobs
    typer.echo(f"deleted {jobs} jobs; removed {removed} stored files and {spools} unfinished uploads")
