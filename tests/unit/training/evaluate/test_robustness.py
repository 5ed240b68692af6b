"""Re-encoding: what is compared with what, and the figures by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.errors import PneumoscreenError
from tests.testing.fakes import FakeEngine, fake_model
from tests.unit.training.synthetic import write_dataset
from training.evaluate import robustness


def test_figures_by_hand() -> None:
    probabilities = np.array([[0.4, 0.6, 0.4, 0.4, 0.4, 0.4, 0.4], [0.9, 0.6, 0.9, 0.9, 0.9, 0.9, 0.9]])
    moved = robustness.summarise(probabilities, np.array([0, 1]), threshold=0.5)
    assert moved.images == 2
    assert moved.mean_absolute_change == pytest.approx(0.5 / 12)
    assert moved.mean_absolute_logit_change == pytest.approx((2 * np.log(1.5) + np.log(6)) / 12)
    assert moved.by_quality[30] == pytest.approx(0.25)
    assert moved.by_quality[95] == 0
    assert moved.mean_change == {"NORMAL": pytest.approx(0.2 / 6), "PNEUMONIA": pytest.approx(-0.3 / 6)}
    assert moved.decisions_changed == pytest.approx(1 / 12)


def test_brightness_hardly_depends_on_compression(tmp_path: Path) -> None:
    source = write_dataset(tmp_path, each=2)
    engine = FakeEngine()
    moved = robustness.measure(fake_model(engine), source)
    assert moved.images == 4
    assert engine.batch_sizes == [1 + len(robustness.QUALITIES)] * 4
    assert 0 < moved.mean_absolute_change < 0.01


def test_damaged_file(tmp_path: Path) -> None:
    source = write_dataset(tmp_path, each=1)
    (source / "train" / "NORMAL" / "IM-0000-0000.png").write_bytes(b"")
    with pytest.raises(PneumoscreenError):
        robustness.measure(fake_model(), source)
