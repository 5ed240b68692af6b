"""What the commands that take files share: arguments, an exit status, and the line on files that were passed over."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from client.folders import LINKS
from client.sources import Sources

EXIT_SOME_FAILED = 3

Paths = Annotated[
    list[Path],
    typer.Argument(metavar="PATH", exists=True, help="Files, folders, zip or tar archives.", show_default=False),
]
CsvPath = Annotated[
    Path | None, typer.Option("--csv", metavar="FILE", help="Write one line a file: result, or why there is none.")
]
FollowLinks = Annotated[
    bool,
    typer.Option(
        "--follow-links", help="Read what symbolic links in folders lead to (git-annex, DataLad), wherever that is."
    ),
]

PopulationChoice = Annotated[
    Literal["child", "adult"] | None,
    typer.Option(
        "--population", help="As whose X-rays are judged; default: the model finds out for each.", show_default=False
    ),
]


def print_skipped(sources: Sources) -> None:
    """One line on what the walk passed over."""
    skipped = {reason: count for reason, count in sources.skipped.items() if count}
    if skipped:
        hint = " --follow-links reads what the links lead to." if LINKS & skipped.keys() else ""
        listed = ", ".join(f"{reason} ({count:,})" for reason, count in skipped.items())
        typer.echo(f"Skipped: {listed}.{hint}", err=True)
