"""Progress of long work is seen in a terminal, and in a log too."""

from __future__ import annotations

import io
import re

from rich.console import Console

from training.bars import Bars


def test_a_log_gets_a_line_at_the_start_every_half_minute_and_at_the_end() -> None:
    log = io.StringIO()
    seconds = iter([0.0, 10.0, 29.0, 31.0, 40.0, 41.0])
    with Bars(Console(file=log), lambda: next(seconds)) as bars:
        for done in range(1, 6):
            bars.update("reading images", done, 5)
        bars.update("testing", 1, 9)
    lines = [re.sub(r"^\d\d:\d\d:\d\d ", "", line) for line in log.getvalue().splitlines()]
    assert lines == ["reading images: 1 of 5", "reading images: 4 of 5", "reading images: 5 of 5", "testing: 1 of 9"]


def test_a_terminal_gets_a_bar_for_each_stage() -> None:
    screen = io.StringIO()
    with Bars(Console(file=screen, force_terminal=True, width=100)) as bars:
        bars.update("reading images", 2, 5)
        bars.update("testing", 1, 9)
    assert "reading images" in screen.getvalue()
    assert "2/5" in screen.getvalue()
    assert "1/9" in screen.getvalue()
