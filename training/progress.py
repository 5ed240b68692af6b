"""The callbacks that report progress; the command line draws bars from them."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int, int], None]
"""Called with (done, total)."""

StageProgress = Callable[[str, int, int], None]
"""Called with (stage, done, total)."""


def silent(done: int, total: int) -> None:
    """Report nothing."""
    del done, total


def stage(progress: StageProgress, name: str) -> Progress:
    """Return the callback of one stage among several."""
    return lambda done, total: progress(name, done, total)
