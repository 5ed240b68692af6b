"""Progress without a terminal: few whole lines."""

from __future__ import annotations

import pytest

from cli.progress import LINE_EVERY_S, BarMeter, LineMeter, meter


class Clock:
    """Monotonic seconds, moved by hand."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_one_line_in_a_while_and_one_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()

    with LineMeter("Sending", 600, clock=clock) as lines:
        for done in range(1, 601):
            clock.now_s += LINE_EVERY_S / 256
            lines.show(done, 600)

    assert capsys.readouterr().err.splitlines() == [
        "Sending: 256 of 600",
        "Sending: 512 of 600",
        "Sending: 600 of 600",
    ]


def test_nothing_to_do_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with LineMeter("Sending", 0):
        pass

    assert capsys.readouterr().err == ""


def test_without_a_terminal_there_is_no_bar(capsys: pytest.CaptureFixture[str]) -> None:
    with meter("Sending", 2) as lines:
        lines.show(2, 2)
        lines.note("a note")

    captured = capsys.readouterr()
    assert isinstance(lines, LineMeter)
    assert captured.out == ""
    assert captured.err == "a note\nSending: 2 of 2\n"


def test_a_bar_counts_on_stderr(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)

    with meter("Sending", 3) as bar:
        bar.show(2, 3)
        bar.note("a [note]")

    captured = capsys.readouterr()
    assert isinstance(bar, BarMeter)
    assert captured.out == ""
    assert "2/3" in captured.err
    assert "a [note]" in captured.err


def test_why_it_stands_still_is_said_beside_the_count_until_it_moves(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()

    with LineMeter("Sending", 9, clock=clock) as lines:
        lines.show(3, 9)
        lines.waiting("its queue is full")
        lines.waiting("its queue is full")
        lines.show(9, 9)

    assert capsys.readouterr().err.splitlines() == ["Sending: 3 of 9 (its queue is full)", "Sending: 9 of 9"]


def test_the_bar_says_it_in_its_label(capsys: pytest.CaptureFixture[str]) -> None:
    with BarMeter("Sending", 9) as bar:
        bar.waiting("its queue is full")

    assert "Sending (its queue is full)" in capsys.readouterr().err
