"""What the commands print at their end, the same on a terminal and in a pipe."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from client.rows import LISTED, Tally
from core.csv_lines import Row

DISCLAIMER = "This is a research tool; its output is never a diagnosis."
_ORDER = ("pneumonia", "normal", "refused", "failed", "rejected", "cancelled", "queued", "running")


def print_rows(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Aligned columns without lines, for people and for `awk` alike."""
    table = Table(*headings, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    _console().print(table)


def print_summary(tally: Tally, *, csv_given: bool) -> None:
    """Counts by decision, then the files that failed, and why: the first few."""
    total = sum(tally.counts.values())
    typer.echo(f"{total:,} file{'' if total == 1 else 's'}:")
    for word in _ORDER:
        if tally.counts[word]:
            typer.echo(f"  {word:<10} {tally.counts[word]:>9,}")
    print_failures(tally, csv_given=csv_given)
    typer.echo(DISCLAIMER)


def print_failures(tally: Tally, *, csv_given: bool) -> None:
    """The files without a decision, each with its reason."""
    if not tally.failures:
        return
    typer.echo("Without a result:")
    for row in tally.failures:
        typer.echo(f"  {printable(row.filename)}: {_reason(row)}")
    more = tally.failed - LISTED
    if more > 0:
        typer.echo(f"  and {more:,} more, see {'the CSV file' if csv_given else '--csv'}")


def _reason(row: Row) -> str:
    if row.error:
        return printable(row.error)
    return "The job was cancelled." if row.state == "cancelled" else f"It is {row.state}."


def printable(text: str) -> str:
    """`text` without control characters, which a file name may hold and a terminal would obey."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def _console() -> Console:
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 500  # a pipe has no width; nothing is cut or wrapped
    return console
