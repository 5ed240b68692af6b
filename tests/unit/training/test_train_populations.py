"""A whole run on synthetic images of two populations: what the card, the file and the figures then say."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from model import checkpoint, loaded
from tests.unit.training.synthetic import write_backbone, write_dataset
from tests.unit.training.test_train import CONFIG, call
from training.calibrate import population_head, population_points


def train(folder: Path) -> Path:
    """The run folder of a model of 40 children and 40 adults, whose X-rays have other numbers of pixels."""
    data = [write_dataset(folder / "school"), write_dataset(folder / "ward", size=96)]
    populations = '[data]\npopulations = { school = "child", ward = "adult" }\n'
    (folder / "config.toml").write_text(CONFIG + populations)
    backbone, out = write_backbone(folder / "backbone.safetensors"), folder / "run"
    call("train", *data, "--backbone", backbone, "--config", folder / "config.toml", "--out", out)
    return out


def test_each_population_gets_an_operating_point_and_the_network_tells_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(population_points, "MIN_IMAGES", 20)
    monkeypatch.setattr(population_head, "COPIES", 1)
    out = train(tmp_path)
    made = checkpoint.load(out / "model.safetensors")
    points = made.card.populations
    assert points is not None
    assert points.child.images + points.adult.images == made.card.split["train"] + made.card.split["validation"]
    assert points.told["child"] > 0.7
    assert made.card.metrics["test"]["images"] == made.card.split["test"]
    assert set(made.card.metrics["groups"]["out_of_fold"]["population"]) == {"child", "adult"}
    assert made.card.ood is not None
    with (out / "predictions.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["part"] != "test"]
    children = {float(row["threshold"]) for row in rows if row["name"].startswith("school")}
    assert children == {points.child.threshold}
    (prediction,) = loaded.load(out / "model.safetensors", "torch-cpu").predict(np.full((1, 224, 224), 90, np.uint8))
    assert prediction.judged_as is not None
