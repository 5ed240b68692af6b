"""How far a long command is: a bar on a terminal, a line every ten seconds elsewhere. On stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Protocol

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

LINE_EVERY_S = 10.0


class Meter(Protocol):
    """Counts from 0 to a total. For `with`; `show` may be called from any thread."""

    def __enter__(self) -> Meter: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def show(self, done: int, total: int) -> None: ...

    def waiting(self, words: str) -> None:
        """Say beside the count why it stands still, until it moves again."""
        ...

    def note(self, line: str) -> None: ...


def meter(label: str, total: int) -> Meter:
    """The one that suits stderr."""
    return BarMeter(label, total) if sys.stderr.isatty() else LineMeter(label, total)


class LineMeter:
    """Whole lines, for logs and pipes."""

    def __init__(self, label: str, total: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._label = label
        self._clock = clock
        self._done, self._total = 0, total
        self._shown: tuple[int, int] | None = None
        self._words = ""
        self._next_s = clock() + LINE_EVERY_S

    def __enter__(self) -> LineMeter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._total and (self._done, self._total) != self._shown:
            self._print()

    def show(self, done: int, total: int) -> None:
        self._done, self._total = done, total
        self._words = ""
        if self._clock() >= self._next_s:
            self._print()

    def waiting(self, words: str) -> None:
        first = not self._words
        self._words = words
        if first or self._clock() >= self._next_s:
            self._print()

    def note(self, line: str) -> None:
        typer.echo(line, err=True)

    def _print(self) -> None:
        self._next_s = self._clock() + LINE_EVERY_S
        self._shown = (self._done, self._total)
        words = f" ({self._words})" if self._words else ""
        typer.echo(f"{self._label}: {self._done:,} of {self._total:,}{words}", err=True)


class BarMeter:
    """A rich progress bar."""

    def __init__(self, label: str, total: int) -> None:
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(elapsed_when_finished=True),
            console=Console(stderr=True, highlight=False),
        )
        self._label = label
        self._task = self._progress.add_task(label, total=total)

    def __enter__(self) -> BarMeter:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def show(self, done: int, total: int) -> None:
        self._progress.update(self._task, completed=done, total=total, description=self._label)

    def waiting(self, words: str) -> None:
        self._progress.update(self._task, description=f"{self._label} ({words})")

    def note(self, line: str) -> None:
        self._progress.console.print(line, markup=False)
