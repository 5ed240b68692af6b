"""What a clue tells and who follows it, on samples where the answer is known."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import shortcuts
from benchmarks.shortcuts import Sample
from model import loaded
from tests.testing.fakes import fake_model
from tests.unit.training.synthetic import write_dataset

LABELS = np.tile(np.repeat([0, 1], 20), 2)
SOURCES = np.repeat(["east", "west"], 40)
RNG = np.random.default_rng(0)


def sample_with(clue: np.ndarray) -> Sample:
    return Sample(LABELS, SOURCES, {"clue": clue.astype(np.float64)})


def test_a_clue_to_the_class() -> None:
    clue = np.where(SOURCES == "east", LABELS, 1 - LABELS)
    assert shortcuts.tells_class(sample_with(clue))["clue"] == {"east": 1.0, "west": 0.0}


def test_a_clue_to_the_source() -> None:
    clue = np.where(LABELS == 1, SOURCES == "east", RNG.random(80))
    told = shortcuts.tells_source(sample_with(clue))["clue"]
    assert (told["east in PNEUMONIA"], told["west in PNEUMONIA"]) == (1.0, 0.0)
    assert 0.2 < (told["east in NORMAL"] or 0) < 0.8


def test_what_does_not_vary_or_is_not_known_tells_nothing() -> None:
    unknown = np.where(SOURCES == "east", np.nan, 1.0)
    assert shortcuts.tells_class(sample_with(unknown))["clue"] == {"east": None, "west": None}
    assert set(shortcuts.followed(sample_with(unknown), RNG.random(80))["clue"].values()) == {None}


def test_a_network_that_follows_the_clue_in_one_class() -> None:
    clue = RNG.random(80)
    logits = np.where(LABELS == 1, np.exp(5 * clue), -np.arange(80) % 7)
    followed = shortcuts.followed(sample_with(clue), logits)["clue"]
    assert followed["east PNEUMONIA"] == pytest.approx(1)
    assert abs(followed["east NORMAL"] or 0) < 0.5


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    data = write_dataset(tmp_path / "ward", each=12)
    monkeypatch.setattr(loaded, "load", lambda *_: fake_model())
    monkeypatch.setattr(sys, "argv", ["shortcuts", "default", str(data)])
    shortcuts.main()
    printed = capsys.readouterr().out
    assert "| mean tone | 1.00 |" in printed  # pneumonias are brighter
    assert "| mean tone | +1.00 | +1.00 |" in printed  # and so is what the fake calls one
    assert "| JPEG quantisation |  |" in printed
    assert "against the others" not in printed
