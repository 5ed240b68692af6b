"""The table of variants, from files through a model that judges brightness."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from benchmarks import robustness, sample
from benchmarks.robustness import AS_IT_IS
from benchmarks.variants import VARIANTS
from model import loaded
from tests.testing.fakes import fake_model
from tests.unit.training.synthetic import write_dataset

CHOSEN = [variant for variant in VARIANTS if variant.name in {"mirrored", "negative", "JPEG, quality 50"}]


def test_answers_are_those_of_files(tmp_path: Path) -> None:
    images = sample.draw([write_dataset(tmp_path, each=2)], 2)
    plain, mirrored, jpeg, negative = robustness.answers(fake_model(), images, CHOSEN)
    assert plain.probabilities == pytest.approx([0.35, 0.35, 0.59, 0.59], abs=0.02)
    assert mirrored.probabilities == pytest.approx(plain.probabilities, abs=0.01)
    assert jpeg.probabilities == pytest.approx(plain.probabilities, abs=0.01)
    assert negative.probabilities == pytest.approx(1 - plain.probabilities, abs=0.01)


def test_the_command_prints_a_table_for_each_population(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    children = write_dataset(tmp_path / "chest_xray_224", each=2)
    adults = write_dataset(tmp_path / "siim", each=1)
    monkeypatch.setattr(loaded, "load", lambda *_: fake_model())
    file = tmp_path / "figures.json"
    arguments = ["robustness", "default", str(children), str(adults), "--images", "1", "--json", str(file)]
    monkeypatch.setattr(sys, "argv", arguments)
    robustness.main()
    printed = capsys.readouterr().out
    groups = json.loads(file.read_text())["groups"]
    assert {name: rows[AS_IT_IS]["images"] for name, rows in groups.items()} == {"all": 4, "adult": 2, "child": 2}
    assert all(len(rows) == 1 + len(VARIANTS) for rows in groups.values())
    assert "**child**: 2 images" in printed
    assert "| negative | refused | 0.000 | 0.000 | 0.000 | 4 | 4 | 0 | 0 | " in printed
