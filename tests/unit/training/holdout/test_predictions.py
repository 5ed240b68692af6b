"""Nobody is judged by a calibration or a threshold that saw them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.unit.training.augment.test_loader import make_labelled
from tests.unit.training.synthetic import make_dataset
from training.config import TrainConfig
from training.develop import Source
from training.finetune import networks
from training.finetune.soup_trainer import Logits
from training.holdout import predictions

DATA = make_labelled(20, 20, side_px=2)
FOLDS = np.arange(40) % 10
GROUP = networks.groups(FOLDS, 3)
SEPARATED = (2.0 * DATA.labels - 1).astype(np.float32)
"""Logits by which any calibration of its own would judge everybody rightly."""


def source() -> Source:
    network: Any = None
    return Source(network, "", make_dataset(DATA.labels.tolist(), [str(n) for n in range(40)]), FOLDS, np.full(40, ""))


def judged(monkeypatch: pytest.MonkeyPatch, logits: np.ndarray) -> predictions.Unseen:
    rows = np.where(GROUP >= 0, logits, np.nan)[None]
    monkeypatch.setattr(predictions, "prepared", lambda *_: (None, DATA))
    monkeypatch.setattr(networks, "out_of_fold", lambda *_: SimpleNamespace(logits=rows))
    return predictions.of_patients(source(), TrainConfig(), Path(), lambda stage, done, total: None)


def test_all_but_the_test_part_are_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    unseen = judged(monkeypatch, SEPARATED)
    assert np.array_equal(np.isnan(unseen.probabilities), GROUP < 0)
    assert np.array_equal(np.isnan(unseen.called), GROUP < 0)
    assert np.array_equal(unseen.called[GROUP >= 0], DATA.labels[GROUP >= 0])


def test_a_group_is_judged_as_the_others_were_calibrated(monkeypatch: pytest.MonkeyPatch) -> None:
    unseen = judged(monkeypatch, SEPARATED + 10 * (GROUP == 0))
    assert unseen.called[GROUP == 0].tolist() == [1] * int((GROUP == 0).sum())


def test_another_source_is_judged_as_the_validation_part_was_calibrated(monkeypatch: pytest.MonkeyPatch) -> None:
    others = make_dataset([0, 1, 0, 1], list("abcd"))

    class Trainer:
        def out_of_fold(self) -> Trainer:
            return self

        def logits(self, name: str, soup: object, data: Any) -> Logits:
            assert name == "group0"
            assert len(data.labels) == (GROUP == 0).sum()
            row = (2.0 * data.labels - 1).astype(np.float32)
            return Logits({"out_of_fold": row}, row[None])

        def plain_logits(self, name: str, soup: object, pixels: np.ndarray) -> np.ndarray:
            assert others.digest[:16] in name
            assert len(pixels) == 4
            return np.array([-1, 1, 11, 9], np.float32)

    monkeypatch.setattr(predictions, "prepared", lambda *_: (Trainer(), DATA))
    monkeypatch.setattr(networks, "stopped_early", lambda *_: None)
    unseen = predictions.of_source(source(), others, TrainConfig(), Path(), lambda stage, done, total: None)
    assert unseen.called.tolist() == [0, 1, 1, 1]
