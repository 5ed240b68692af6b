"""The configuration: defaults, overrides, and mistakes named."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import ConfigurationError
from training.config import DEFAULT_CONFIG, TrainConfig, load_config


def write(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "c.toml"
    file.write_text(text)
    return file


def test_default_file_is_valid_and_augments_against_the_trap() -> None:
    loaded = load_config(DEFAULT_CONFIG)
    assert loaded.method == "finetune"
    assert loaded.distort.jpeg > 0.5
    assert loaded.finetune.stages[-1].size_px > loaded.finetune.stages[0].size_px


def test_quick_recipe_is_valid_and_shorter() -> None:
    quick, default = (load_config(DEFAULT_CONFIG.with_name(f"{name}.toml")) for name in ("quick", "default"))
    assert quick.finetune.epochs * quick.finetune.seeds < default.finetune.epochs
    assert quick.distort.restyle.field == default.distort.restyle.field


def test_frozen_recipe_is_valid() -> None:
    loaded = load_config(DEFAULT_CONFIG.with_name("frozen.toml"))
    assert (loaded.method, loaded.views) == ("frozen", 4)
    assert loaded.augment.jpeg > 0.5


def test_the_card_records_what_the_method_uses() -> None:
    finetuned, frozen = TrainConfig(), TrainConfig(method="frozen")
    assert {"finetune", "distort"} <= finetuned.recorded().keys()
    assert not {"head", "views", "augment"} & finetuned.recorded().keys()
    assert {"head", "views", "augment"} <= frozen.recorded().keys()


def test_seed_overrides(tmp_path: Path) -> None:
    file = write(tmp_path, "seed = 1")
    assert (load_config(file).seed, load_config(file, 5).seed, load_config(file, 0).seed) == (1, 5, 0)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[head]\nmax_epochs = 0", r"head\.max_epochs"),
        ("colour = 1", "colour"),
        ("[augment]\nflip = 'x'", r"augment\.flip"),
        ("[finetune]\nstages = []", "at least one stage"),
        ("[[finetune.stages]]\nepochs = 1\nsize_px = 9999\ntrain_from = 'fc'", r"finetune\.stages\.0\.size_px"),
        ("a =", "not valid TOML"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises(ConfigurationError, match=named):
        load_config(write(tmp_path, text))


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="Cannot read"):
        load_config(tmp_path / "none.toml")
