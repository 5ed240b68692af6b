"""Whole cross-validations on synthetic sets: who is left out, what is kept, and that nothing is trained twice."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import typer
from numpy.typing import NDArray
from typer.testing import CliRunner

from cli.cross_validate import cross_validate
from core.errors import ConfigurationError, InvalidInput
from model.resnet import GrayResNet
from tests.unit.training.synthetic import write_backbone, write_dataset
from training import backbone
from training.config import DEFAULT_CONFIG, load_config
from training.data import split
from training.data.dataset import read_dataset
from training.develop import Source, develop
from training.evaluate import bootstrap, groups
from training.finetune import parallel, soup_trainer
from training.finetune.loop import FineTuned
from training.finetune.parallel import Job
from training.history import Epoch
from training.progress import Progress

CONFIG = """\
name = "tiny"
[data]
same_as = { ward = "east" }
populations = { west = "adult" }
[finetune]
batch_size = 8
precision = "float32"
workers = 0
oof_groups = 2
[[finetune.stages]]
epochs = 1
size_px = 32
train_from = "layer4"
"""

commands = typer.Typer()
commands.command()(cross_validate)


def call(*arguments: str | Path) -> str:
    result = CliRunner().invoke(commands, [str(argument) for argument in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty images of either class, half of a source whose images have two names."""
    folder = tmp_path_factory.mktemp("holdout")
    write_dataset(folder, each=40)
    lines = ["path,label,patient,source"]
    for file in sorted((folder / "train").rglob("*.png")):
        number = int(file.stem.split("_")[-1].split("-")[-1])
        source = "west" if number % 2 else ["east", "ward"][number % 4 // 2]
        lines.append(f"{file.relative_to(folder)},{file.parent.name},{file.stem},{source}")
    (folder / "sets.csv").write_text("\n".join(lines) + "\n")
    (folder / "tiny.toml").write_text(CONFIG)
    write_backbone(folder / "backbone.safetensors")
    return folder


@pytest.fixture
def arguments(data: Path, tmp_path: Path) -> list[str | Path]:
    given: list[str | Path] = ["--config", data / "tiny.toml", "--backbone", data / "backbone.safetensors"]
    return [data / "sets.csv", "--out", tmp_path, "--cache", tmp_path / "cache", *given]


@dataclass(frozen=True)
class Trained:
    """A network that somebody asked for: its seed, and the numbers of the sources that it learns from."""

    seed: int
    sources: list[int]


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[Trained]:
    """Networks and intervals take no time: the former learn nothing, and say how bright an image is."""
    asked: list[Trained] = []

    def fit(job: Job, progress: Progress) -> FineTuned:
        asked.append(Trained(job.seed, np.unique(job.train.sources).tolist()))
        job.state.touch()
        return FineTuned(job.network, 1, [Epoch(0.5, 0.5, 0.5, 1e-3, 32)])

    def predict(network: GrayResNet, pixels: NDArray[np.uint8], *_: object) -> NDArray[np.float32]:
        return np.asarray(pixels.mean((1, 2)) / 255 - 0.5, dtype=np.float32)

    monkeypatch.setattr(bootstrap, "intervals", partial(bootstrap.intervals, draws=20))
    monkeypatch.setattr(parallel, "fit", fit)
    monkeypatch.setattr(soup_trainer, "predict", predict)
    return asked


def develop_as_train_does(data: Path, cache: Path) -> None:
    config = load_config(data / "tiny.toml")
    dataset = read_dataset([data / "sets.csv"], for_training=True)
    folds = split.assign_folds(dataset.labels, dataset.patients, config.seed, dataset.sources)
    populations = np.array(groups.by_population(dataset, config.data.populations))
    source = Source(*backbone.load(data / "backbone.safetensors"), dataset, folds, populations)
    develop(source, config, cache, lambda stage, done, total: None)


def test_patients_of_all_seeds_from_the_networks_of_train(
    arguments: list[str | Path], data: Path, tmp_path: Path, trained: list[Trained]
) -> None:
    develop_as_train_does(data, tmp_path / "cache")
    trained.clear()
    printed = call(*arguments, "--seeds", "2")
    assert [network.seed for network in trained] == [1, 1]  # those of seed 0 are there
    (summary,) = json.loads((tmp_path / "patients.json").read_text())
    assert (summary["config"], summary["held_out"], summary["seeds"]) == ("tiny", None, [0, 1])
    assert summary["groups"].keys() == {"all", "population adult", "source east", "source ward", "source west"}
    of_all = summary["groups"]["all"]
    assert 72 <= of_all["normal"] + of_all["pneumonia"] <= 80  # all but those in the test part of both seeds
    assert of_all["auc"]["each"] == [1.0, 1.0]
    assert f"| tiny | its patients | all | {of_all['normal']} | {of_all['pneumonia']} | 1.000 ± 0.000 (1.000" in printed
    trained.clear()
    assert call(*arguments, "--seeds", "2") == printed
    assert not trained


def test_a_source_is_left_out_with_what_counts_to_it(
    arguments: list[str | Path], tmp_path: Path, trained: list[Trained]
) -> None:
    call(*arguments, "--seeds", "1", "--hold-out", "all")
    first, second = json.loads((tmp_path / "sources.json").read_text())
    assert [one["held_out"] for one in (first, second)] == ["east", "west"]
    assert first["groups"].keys() == {"all", "source east", "source ward"}
    assert (first["groups"]["all"]["normal"], first["groups"]["all"]["pneumonia"]) == (20, 20)
    assert second["groups"].keys() == {"all", "population adult", "source west"}
    assert [network.sources for network in trained] == [[0], [0]]  # one source each is trained on


def test_recipes_are_compared(arguments: list[str | Path], tmp_path: Path, trained: list[Trained]) -> None:
    (tmp_path / "other.toml").write_text(CONFIG.replace("batch_size = 8", "batch_size = 4"))
    printed = call(*arguments, "--config", tmp_path / "other.toml", "--seeds", "1")
    assert [one["config"] for one in json.loads((tmp_path / "patients.json").read_text())] == ["tiny", "other"]
    assert len(trained) == 4
    assert "| other | its patients | source west |" in printed


def test_the_quick_recipe_trains(data: Path, tmp_path: Path) -> None:
    sets: list[str | Path] = [data / "sets.csv", "--backbone", data / "backbone.safetensors", "--out", tmp_path]
    call(*sets, "--config", DEFAULT_CONFIG.with_name("quick.toml"), "--seeds", "1", "--hold-out", "west")
    (summary,) = json.loads((tmp_path / "sources.json").read_text())
    assert (summary["config"], summary["held_out"]) == ("quick", "west")
    assert (summary["groups"]["all"]["normal"], summary["groups"]["all"]["pneumonia"]) == (20, 20)
    assert {file.suffix for file in tmp_path.glob("cache/*/group0-seed0.*")} == {".json", ".safetensors", ".npy"}


def test_a_source_that_is_not_there(arguments: list[str | Path]) -> None:
    with pytest.raises(InvalidInput, match="no source north; they have east, west"):
        call(*arguments, "--hold-out", "north")


def test_nothing_left_to_learn_from(arguments: list[str | Path], data: Path) -> None:
    arguments[0] = data
    with pytest.raises(InvalidInput, match="none is left to learn from"):
        call(*arguments, "--hold-out", "all")


def test_a_frozen_network_is_not_validated(arguments: list[str | Path], tmp_path: Path) -> None:
    (tmp_path / "frozen.toml").write_text('method = "frozen"\n')
    with pytest.raises(ConfigurationError, match=r"frozen: .*finetune"):
        call(*arguments, "--config", tmp_path / "frozen.toml")
