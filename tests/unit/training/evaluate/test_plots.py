"""Plots are written and show what they were given."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from training.evaluate import plots
from training.history import Epoch

LABELS = np.array([0, 0, 0, 1, 1, 1])
SETS = {"some": (LABELS, np.array([0.1, 0.2, 0.7, 0.4, 0.8, 0.9]))}
HISTORY = [Epoch(0.7, 0.6, 0.8, 1e-3, 128), Epoch(0.5, math.nan, math.nan, 1e-4, 160), Epoch(0.4, 0.3, 0.9, 0.0, 224)]

Drawn = Callable[[], list[Axes]]


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> Drawn:
    """The axes of the last figure that was saved."""
    kept: list[Figure] = []
    save = Figure.savefig

    def remember(figure: Figure, *args: Any, **more: Any) -> None:
        kept.append(figure)
        save(figure, *args, **more)

    monkeypatch.setattr(Figure, "savefig", remember)
    return lambda: kept[-1].axes


def points(axes: Axes, line: int) -> list[list[float]]:
    """x and y of each point of a line."""
    return [[float(x), float(y)] for x, y in np.asarray(axes.lines[line].get_xydata())]


def heights(axes: Axes) -> list[float]:
    return [bar.get_height() for bar in axes.patches if isinstance(bar, Rectangle)]


def is_png(file: Path) -> bool:
    return file.read_bytes().startswith(b"\x89PNG")


def test_confusion_tells_counts_and_shares(tmp_path: Path, drawn: Drawn) -> None:
    plots.confusion(tmp_path / "a.png", [[3, 1], [0, 4]])
    assert is_png(tmp_path / "a.png")
    assert [text.get_text() for text in drawn()[0].texts] == ["3\n75.0%", "1\n25.0%", "0\n0.0%", "4\n100.0%"]


def test_curves_tell_loss_area_and_rate(tmp_path: Path, drawn: Drawn) -> None:
    plots.curves(tmp_path / "a.png", HISTORY, best_epoch=3)
    assert is_png(tmp_path / "a.png")
    lines = [[y for _, y in points(axes, 0)] for axes in drawn()]
    assert lines[0] == [0.7, 0.5, 0.4]
    assert lines[1][::2] == [0.8, 0.9]
    assert lines[2] == [1e-3, 1e-4, 0.0]


def test_roc_marks_the_operating_point(tmp_path: Path, drawn: Drawn) -> None:
    plots.roc(tmp_path / "a.png", SETS, dict.fromkeys(SETS, 0.5))
    assert is_png(tmp_path / "a.png")
    assert points(drawn()[0], 1) == [[pytest.approx(1 / 3), pytest.approx(2 / 3)]]


def test_reliability_by_hand(tmp_path: Path, drawn: Drawn) -> None:
    plots.reliability(tmp_path / "a.png", SETS)
    assert is_png(tmp_path / "a.png")
    assert [y for _, y in points(drawn()[0], 1)] == [0, 0, 1, 0, 1, 1]


def test_balance_counts_each_part(tmp_path: Path, drawn: Drawn) -> None:
    parts = np.array(["train", "train", "test", "train", "validation", "test"])
    plots.balance(tmp_path / "a.png", LABELS, parts)
    assert is_png(tmp_path / "a.png")
    assert heights(drawn()[0]) == [2, 0, 1, 1, 1, 1]
