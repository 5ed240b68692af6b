"""`pneumoscreen model` with a service, and without one; `screen` finds models in the folder without a service."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli import catalog
from cli.model.registry import line
from core import settings
from core.errors import ModelInvalid
from model import registry
from model.registry import Entry
from tests.testing.cards import POPULATIONS
from tests.unit.cli.conftest import Invoke
from tests.unit.model.factories import make_card, save_model


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    save_model(tmp_path / "ours.safetensors", seed=1, name="ours")
    return tmp_path / "ours.safetensors"


@pytest.fixture
def upgraded(invoke: Invoke) -> None:
    assert invoke("db", "upgrade").exit_code == 0


def starred(output: str) -> list[str]:
    return [line.split()[1] for line in output.splitlines() if line.startswith("*")]


@pytest.mark.usefixtures("upgraded")
def test_a_model_is_imported_listed_shown_and_activated(invoke: Invoke, checkpoint: Path, tmp_path: Path) -> None:
    default = registry.shipped().name
    assert invoke("model", "import", checkpoint).stdout.startswith("  ours  ")
    assert not (tmp_path / "data" / "models").exists()
    assert starred(invoke("model", "list").stdout) == [default]
    assert json.loads(invoke("model", "show", "ours").stdout)["name"] == "ours"
    assert invoke("model", "activate", "ours").stdout.startswith("* ours  ")
    assert starred(invoke("model", "list").stdout) == ["ours"]
    assert starred(invoke("model", "activate", "default").stdout) == [default]
    assert starred(invoke("model", "import", checkpoint, "--activate").stdout) == ["ours"]
    assert invoke("model", "activate", "nothing").stderr.startswith("pneumoscreen: There is no model 'nothing'.")


def test_without_a_service_a_checkpoint_waits_in_the_folder(invoke: Invoke, checkpoint: Path, tmp_path: Path) -> None:
    assert invoke("model", "import", checkpoint).exit_code == 0
    assert len(list((tmp_path / "data" / "models").iterdir())) == 1
    assert starred(invoke("model", "list").stdout) == [registry.shipped().name]
    refused = invoke("model", "activate", "ours")
    assert refused.exit_code == 2
    assert "There is no database at" in refused.stderr
    with catalog.checkpoint(settings.load(), "ours") as entry:
        assert entry.name == "ours"
    assert invoke("db", "upgrade").exit_code == 0
    assert starred(invoke("model", "activate", "ours").stdout) == ["ours"]


@pytest.mark.usefixtures("upgraded")
def test_commands_take_the_deployed_model_or_the_one_that_is_named(invoke: Invoke, checkpoint: Path) -> None:
    invoke("model", "import", checkpoint, "--activate")
    for key, name in (("", "ours"), ("ours", "ours"), ("default", registry.shipped().name)):
        with catalog.checkpoint(settings.load(), key) as entry:
            assert entry.name == name
    with pytest.raises(ModelInvalid), catalog.checkpoint(settings.load(), "nothing"):
        pass


def test_the_choice_of_the_release_before_is_taken_over_by_an_upgrade(
    invoke: Invoke, checkpoint: Path, tmp_path: Path
) -> None:
    invoke("model", "import", checkpoint)
    folder = tmp_path / "data" / "models"
    (file,) = folder.iterdir()
    (folder / "active").write_text(file.stem + "\n")
    assert invoke("db", "upgrade").exit_code == 0
    assert starred(invoke("model", "list").stdout) == ["ours"]
    assert not (folder / "active").exists()


def test_a_model_that_judges_children_and_adults_apart_is_listed_with_both_thresholds() -> None:
    alike, apart = make_card(), make_card(populations=POPULATIONS)
    listed = [line(Entry("m", "a" * 64, Path("m"), card), active=False) for card in (alike, apart)]
    assert listed[0].endswith("  threshold 0.5")
    assert listed[1].endswith("  threshold 0.4 (children), 0.6 (adults)")
