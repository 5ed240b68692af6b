"""A whole search on forty synthetic images, what it leaves behind, and the same command with more trials."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from cli.tune import tune
from core.errors import ConfigurationError
from tests.unit.training.synthetic import write_backbone, write_dataset
from training.config import TrainConfig, load_config
from training.data import split
from training.data.dataset import read_dataset
from training.search.tune import Budget, draw, prepare_search

BASE = """\
[finetune]
precision = "float32"
workers = 0
[finetune.polish]
epochs = 1
size_px = 64
train_from = "fc"
"""
BUDGET = ("--epochs", "1", "--images", "32", "--size", "32")

commands = typer.Typer()
commands.command()(tune)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tune")
    (folder / "base.toml").write_text(BASE)
    write_dataset(folder / "data")
    write_backbone(folder / "backbone.safetensors")
    return folder


def call(folder: Path, *more: str) -> str:
    arguments = [folder / "data", "--out", folder / "out", "--backbone", folder / "backbone.safetensors"]
    options = [*map(str, arguments), "--config", str(folder / "base.toml"), *BUDGET, *more]
    result = CliRunner().invoke(commands, options, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "out" / "trials.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_searches_and_goes_on(folder: Path) -> None:
    printed = call(folder, "--trials", "1")
    assert "trial 1 of 1 is best" in printed
    first = rows(folder)
    assert (first[0]["state"], first[0]["epochs"]) == ("done", "1")
    call(folder, "--trials", "2")
    assert rows(folder)[0] == first[0]
    assert len(rows(folder)) == 2
    assert {file.name for file in (folder / "out").iterdir()} == {
        "journal.log", "trials.csv", "trials.png", "best.toml", "unfinished",
    }  # fmt: skip
    assert not list((folder / "out" / "unfinished").iterdir())
    best = load_config(folder / "out" / "best.toml")
    assert best.finetune.polish is not None
    assert best.finetune.stages == TrainConfig().finetune.stages


def test_trials_see_no_image_of_the_test_part(folder: Path) -> None:
    base = load_config(folder / "base.toml")
    search = prepare_search(
        [folder / "data"], folder / "backbone.safetensors", folder, base, Budget(), lambda stage, done, total: None
    )
    dataset = read_dataset([folder / "data"], for_training=True)
    parts = split.parts(split.assign_folds(dataset.labels, dataset.patients, base.seed))
    assert np.array_equal(search.train.pixels, dataset.pixels[parts == "train"])
    assert np.array_equal(search.validation.pixels, dataset.pixels[parts == "validation"])


def test_draw_takes_both_classes_alike() -> None:
    labels, allowed = np.arange(20) % 2, np.arange(20) < 16
    chosen = draw(labels, allowed, 8, seed=0)
    assert (chosen.sum(), labels[chosen].sum()) == (8, 4)
    assert not chosen[16:].any()
    assert np.array_equal(chosen, draw(labels, allowed, 8, seed=0))


def test_only_fine_tuning_is_tuned(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="the configuration has frozen"):
        prepare_search(
            [tmp_path], None, tmp_path, TrainConfig(method="frozen"), Budget(), lambda stage, done, total: None
        )
