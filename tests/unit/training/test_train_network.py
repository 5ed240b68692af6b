"""A whole fine-tuning run on forty synthetic images, and the same command given again."""

from __future__ import annotations

from pathlib import Path

import pytest

from model import checkpoint
from tests.unit.training.synthetic import write_backbone, write_dataset
from tests.unit.training.test_train import call
from training.finetune.loop import Run

CONFIG = """\
name = "tiny"
method = "finetune"
sensitivity = 0.9
[finetune]
batch_size = 8
learning_rate = 1e-3
ema_decay = 0.5
precision = "float32"
workers = 0
[[finetune.stages]]
epochs = 2
size_px = 32
train_from = "layer4"
[distort]
brightness = 0
contrast = [1, 1]
gamma = [1, 1]
equalise = 0
"""


@pytest.fixture(scope="module")
def arguments(tmp_path_factory: pytest.TempPathFactory) -> list[str | Path]:
    folder = tmp_path_factory.mktemp("network")
    (folder / "config.toml").write_text(CONFIG)
    data, backbone = write_dataset(folder / "data"), write_backbone(folder / "backbone.safetensors")
    command: list[str | Path] = [
        "train",
        data,
        "--backbone",
        backbone,
        "--config",
        folder / "config.toml",
        "--out",
        folder / "run",
    ]
    call(*command)
    return command


def test_run_folder_and_card(arguments: list[str | Path]) -> None:
    out = Path(arguments[-1])
    assert len(list(out.glob("cache/*/*.safetensors"))) == 4
    assert not list(out.glob("cache/*/*.state"))
    card = checkpoint.read_card(out / "model.safetensors")
    assert card.config["finetune"]["stages"] == [{"epochs": 2, "size_px": 32, "train_from": "layer4"}]
    assert card.config["command"] == "pneumoscreen train data --out RUN --config CONFIG --seed 0"
    assert {"test", "out_of_fold", "out_of_fold_copies", "out_of_fold_reframed"} == card.metrics.keys()
    assert "90.0% of pneumonias" in card.operating_point.rule
    assert set(card.metrics["test"]["intervals"]) == {"accuracy", "auc", "sensitivity", "specificity"}


def test_given_again_it_trains_nothing_and_gives_the_same(
    arguments: list[str | Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = Path(arguments[-1]) / "model.safetensors"
    before = checkpoint.load(model)
    monkeypatch.setattr(Run, "fit", lambda *_args, **_more: pytest.fail("trained again"))
    call(*arguments)
    after = checkpoint.load(model)
    assert before.network.body.fc.weight.equal(after.network.body.fc.weight)
    assert before.card.metrics == after.card.metrics
