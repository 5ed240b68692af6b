"""How long work tells how far it is; the command line draws a bar from it."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int, int], None]
"""Called with (done, total)."""

StageProgress = Callable[[str, int, int], None]
"""Called with (stage, done, total)."""


def silent(done: int, total: int) -> None:
    """Tell nobody."""
    del done, total


def stage(progress: StageProgress, name: str) -> Progress:
    """The progress of one stage of several."""
    return lambda done, total: progress(name, done, total)
