"""A whole run on forty synthetic images, and what the commands make of it."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
import typer
from safetensors.torch import save_file
from typer.testing import CliRunner

from cli import model
from cli.evaluate import evaluate
from cli.train import train
from core import settings
from core.errors import ModelInvalid
from model import checkpoint
from services import schema
from tests.unit.training.synthetic import write_backbone, write_dataset, write_others
from training.lungs import masks

CONFIG = """\
name = "tiny"
method = "frozen"
views = 1
[head]
max_epochs = 20
batch_size = 8
learning_rate = 0.05
dropout = 0.0
"""

commands = typer.Typer()
commands.command()(train)
commands.command()(evaluate)
commands.add_typer(model.app, name="model")


@dataclass
class Trained:
    data: Path
    out: Path
    output: str
    arguments: list[str]

    @property
    def model(self) -> Path:
        return self.out / "model.safetensors"


def call(*arguments: str | Path) -> str:
    result = CliRunner().invoke(commands, [str(argument) for argument in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("train")
    data, out = write_dataset(folder / "data"), folder / "run"
    originals = write_dataset(folder / "originals", each=2)
    (folder / "config.toml").write_text(CONFIG)
    backbone = write_backbone(folder / "backbone.safetensors")
    arguments = [
        "train",
        str(data),
        "--backbone",
        str(backbone),
        "--config",
        str(folder / "config.toml"),
        "--seed",
        "3",
    ]
    output = call(*arguments, "--out", out, "--originals", originals)
    return Trained(data, out, output, arguments)


@pytest.fixture
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A service of its own, whose models the commands change."""
    monkeypatch.setenv("PNEUMOSCREEN_DATA_DIR", str(tmp_path / "data"))
    schema.upgrade(settings.load())
    return tmp_path / "data" / "models"


def starred() -> str:
    """The line of the model that screens."""
    (line,) = [line for line in call("model", "list").splitlines() if line.startswith("*")]
    return line


def test_run_folder_is_complete(trained: Trained) -> None:
    names = {file.name for file in trained.out.iterdir()}
    assert names == {
        "model.safetensors", "card.json", "split.csv", "metrics.json", "predictions.csv", "confusion.png",
        "curves.png", "roc.png", "reliability.png", "balance.png", "cache",
    }  # fmt: skip


def test_card_records_the_run(trained: Trained) -> None:
    card = checkpoint.read_card(trained.model)
    assert card.name == "tiny"
    assert card.config["seed"] == 3
    assert card.training_data.images == 40
    assert card.training_data.patients == 24
    assert sum(card.split.values()) == 40
    assert card.populations is None
    assert card.metrics["recompression"]["images"] == 4
    assert json.loads((trained.out / "card.json").read_text()) == card.model_dump(mode="json")


def test_learns_what_is_easy(trained: Trained) -> None:
    metrics = json.loads((trained.out / "metrics.json").read_text())
    assert metrics["out_of_fold"]["auc"] > 0.9
    assert f"accuracy {metrics['test']['accuracy']:.3f}" in trained.output


def test_predictions_agree_with_the_metrics(trained: Trained) -> None:
    card = checkpoint.read_card(trained.model)
    with (trained.out / "predictions.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["part"] == "test"]
    right = [
        (float(row["probability"]) >= card.operating_point.threshold) == (row["label"] == "PNEUMONIA") for row in rows
    ]
    assert sum(right) / len(right) == pytest.approx(card.metrics["test"]["accuracy"])


def test_same_seed_trains_the_same_weights_with_a_gate_too(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.calibrate.gate_fit.STEPS", 20)
    others = write_others(tmp_path / "others")
    call(*trained.arguments, "--out", tmp_path / "again", "--cache", trained.out / "cache", "--not-frontal", others)
    first, again = checkpoint.load(trained.model), checkpoint.load(tmp_path / "again" / "model.safetensors")
    assert first.network.body.fc.weight.equal(again.network.body.fc.weight)
    assert first.card.operating_point == again.card.operating_point
    assert first.card.gate is None
    assert first.gate is None
    assert again.card.gate is not None
    assert (again.card.gate.images, again.card.gate.not_frontal) == (40, 15)
    assert again.card.config["command"].endswith("--not-frontal others --seed 3")
    assert again.card.quantization is not None
    assert again.card.quantization.agreement
    assert (tmp_path / "again" / "split.csv").read_text() == (trained.out / "split.csv").read_text()


def test_import_activate_and_evaluate(trained: Trained, installation: Path, tmp_path: Path) -> None:
    assert call("model", "import", trained.model, "--activate").startswith("* tiny")
    printed = call("evaluate", trained.data, "--json", tmp_path / "figures.json")
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert figures["images"] == 40
    assert figures["auc"] > 0.9
    assert f"{figures['accuracy']:.4f}" in printed
    assert "95 % interval" in printed
    assert checkpoint.load(trained.model).sha256[:12] in starred()


def test_evaluate_tells_where_the_map_points(trained: Trained, installation: Path, tmp_path: Path) -> None:
    call("model", "import", trained.model)
    names = [f"{trained.data.stem}/{file.relative_to(trained.data)}" for file in trained.data.rglob("*.png")]
    masks.write(tmp_path / "lungs.npz", masks.LungMasks(names, np.full((len(names), 56, 56), 255, np.uint8)))
    arguments = ("evaluate", trained.data, "--model", "tiny", "--lungs", tmp_path / "lungs.npz")
    assert "peak inside the lungs" in call(*arguments, "--json", tmp_path / "figures.json")
    found = json.loads((tmp_path / "figures.json").read_text())["map"]["pneumonia, found"]
    assert found["images"] > 10
    assert found["area"] == found["inside"] == found["peak_inside"] == 1


def test_evaluate_takes_a_list_and_an_archive(trained: Trained, installation: Path, tmp_path: Path) -> None:
    call("model", "import", trained.model)
    names = [
        f"train/{folder.name}/{file.name}" for folder in (trained.data / "train").iterdir() for file in folder.iterdir()
    ]
    rows = [f"{name},{name.split('/')[1]}" for name in names]
    listed = trained.data / "list.csv"
    listed.write_text("path,label\n" + "\n".join(rows) + "\n")
    archive = shutil.make_archive(str(tmp_path / "set"), "zip", trained.data)
    whole = call("evaluate", trained.data, "--model", "tiny")
    assert call("evaluate", listed, "--model", "tiny") == whole
    assert call("evaluate", archive, "--model", "tiny") == whole


def test_model_commands(trained: Trained, installation: Path) -> None:
    assert call("model", "import", trained.model).startswith("  tiny")
    assert json.loads(call("model", "show", "tiny"))["name"] == "tiny"
    assert call("model", "activate", "tiny").startswith("* tiny")
    assert starred().startswith("* tiny")
    assert call("model", "activate", "default").startswith("* ")
    assert "tiny" not in starred()


def test_evaluate_another_model_by_name(trained: Trained, installation: Path) -> None:
    call("model", "import", trained.model)
    assert "tiny: 40 images" in call("evaluate", trained.data, "--model", "tiny")
    assert "tiny" not in starred()


def test_import_refuses_weights_that_do_not_fit(trained: Trained, installation: Path, tmp_path: Path) -> None:
    card = checkpoint.read_card(trained.model)
    save_file({"fc.bias": torch.zeros(1)}, tmp_path / "odd.safetensors", metadata={"card": card.model_dump_json()})
    with pytest.raises(ModelInvalid, match="ResNet-18"):
        call("model", "import", tmp_path / "odd.safetensors")
    assert not installation.exists()
