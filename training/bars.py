"""Progress on standard error, for each stage of a run: bars in a terminal, lines in a log."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

LINE_EVERY_S = 30.0


class Bars:
    """A context manager whose `update` is a `training.progress.StageProgress`.

    Where standard error is no terminal, a stage writes a line when it begins, every half minute, and at its end.
    """

    def __init__(self, console: Console | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console or Console(stderr=True)
        self._clock = clock
        self._progress = Progress(
            TextColumn("{task.description:20}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._tasks: dict[str, TaskID] = {}
        self._line_at_s: dict[str, float] = {}

    def __enter__(self) -> Bars:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def update(self, stage: str, done: int, total: int) -> None:
        """Show that `done` of the `total` steps of `stage` are done."""
        if not self._console.is_terminal:
            self._write_line(stage, done, total)
            return
        if stage not in self._tasks:
            self._tasks[stage] = self._progress.add_task(stage, total=total)
        self._progress.update(self._tasks[stage], completed=done, total=total)

    def _write_line(self, stage: str, done: int, total: int) -> None:
        now_s = self._clock()
        last_s = self._line_at_s.get(stage)
        if last_s is None or done == total or now_s - last_s >= LINE_EVERY_S:
            self._line_at_s[stage] = now_s
            self._console.print(f"{time.strftime('%H:%M:%S')} {stage}: {done} of {total}", highlight=False)
