"""`pneumoscreen db`: the database's schema."""

from __future__ import annotations

import typer

app = typer.Typer(
    help="Create or upgrade the database's schema.",
    no_args_is_help=True,
)


@app.command()
def upgrade() -> None:
    """Bring the database to this version's schema; creates it when it is empty.

    `pneumoscreen up` does this by itself. Safe to run again, and from several hosts at once.

    Works on PNEUMOSCREEN_DATABASE_URL, else on the file in the data directory.

    Example:

      pneumoscreen db upgrade
    """
    from cli import database
    from db import migrate

    url = database.url()
    if path := database.sqlite_path(url):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with database.explained(url):
        before, _ = migrate.current(url)
        migrate.upgrade(url)
        after, _ = migrate.current(url)
    typer.echo(f"already at {after}" if before == after else f"upgraded from {before or 'empty'} to {after}")


@app.command()
def current() -> None:
    """Show the schema's revision, and the newest that this version knows.

    Example:

      pneumoscreen db current
    """
    from cli import database
    from db import migrate

    url = database.url()
    database.require_file(url)
    with database.explained(url):
        at, newest = migrate.current(url)
    suffix = "" if at == newest else f" (this version needs {newest}: run `pneumoscreen db upgrade`)"
    typer.echo(f"{at or 'empty'}{suffix}")
