"""What the release before kept as files goes on: its checkpoints, and its choice, once."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from sqlalchemy import select

from core.errors import ConfigurationError
from db import deployments
from db.tables import AuditEntry
from model import files, registry
from services import checkpoints, models_folder
from services.deployments import Deployments
from tests.testing import factories
from tests.unit.model.factories import save_model
from web.backends import Backends


@pytest.fixture
def folder(backends: Backends) -> Path:
    path = backends.settings.storage.models
    path.mkdir()
    return path


def put(folder: Path, *, seed: int = 1, name: str = "ours") -> str:
    """As `model import` of the release before left it."""
    save_model(folder / "new.safetensors", seed=seed, name=name)
    sha256 = files.file_sha256(folder / "new.safetensors")
    (folder / "new.safetensors").rename(folder / f"{sha256}.safetensors")
    return sha256


def take_over(backends: Backends, folder: Path) -> list[str]:
    return models_folder.take_over(folder, backends.database, backends.store)


def primary(backends: Backends) -> str | None:
    with backends.database.read() as session:
        return deployments.wanted(session).primary


def imported(backends: Backends) -> list[str]:
    """The names of the models that did not come with the code, in order."""
    models = Deployments(backends.database, backends.store).list()
    return sorted(model.name for model in models if not checkpoints.is_shipped(model.sha256))


def test_the_chosen_model_is_deployed_and_the_file_goes(backends: Backends, folder: Path) -> None:
    sha256 = put(folder)
    (folder / "active").write_text(sha256 + "\n")
    assert take_over(backends, folder) == []
    assert primary(backends) == sha256
    assert not (folder / "active").exists()
    assert backends.store.exists(sha256)
    with backends.database.read() as session:
        assert session.scalars(select(AuditEntry.actor)).all() == ["(upgrade)", "(upgrade)"]


def test_a_second_time_changes_nothing(backends: Backends, folder: Path) -> None:
    sha256 = put(folder)
    (folder / "active").write_text(sha256)
    take_over(backends, folder)
    Deployments(backends.database, backends.store).activate("default")
    (folder / "active").write_text(sha256)  # it came back with a copy of the folder
    take_over(backends, folder)
    assert primary(backends) is None
    assert not (folder / "active").exists()


def test_without_a_choice_the_models_are_there_and_none_is_deployed(backends: Backends, folder: Path) -> None:
    put(folder)
    save_model(folder / "by-hand.safetensors", seed=2, name="by-hand")
    take_over(backends, folder)
    assert primary(backends) is None
    assert imported(backends) == ["by-hand", "ours"]


def test_a_folder_that_is_not_there_is_no_error(backends: Backends) -> None:
    assert take_over(backends, backends.settings.storage.models) == []


def test_a_damaged_file_is_told_and_the_others_are_taken(backends: Backends, folder: Path) -> None:
    put(folder)
    (folder / "broken.safetensors").write_bytes(b"no model")
    (problem,) = take_over(backends, folder)
    assert "broken.safetensors is damaged" in problem
    assert imported(backends) == ["ours"]


def test_a_choice_whose_model_is_missing_is_an_error_and_stays(backends: Backends, folder: Path) -> None:
    (folder / "active").write_text("ab" * 32)
    with pytest.raises(ConfigurationError, match=f"The model in use, {'ab' * 6}, is not in"):
        take_over(backends, folder)
    assert (folder / "active").exists()
    assert primary(backends) is None


def test_a_choice_that_a_worker_has_used_is_deployed_though_its_file_is_gone(backends: Backends, folder: Path) -> None:
    """Workers then say what is missing; they must not go on with another model."""
    with backends.database.begin() as session:
        factories.model(session, "ab" * 32)
    (folder / "active").write_text("ab" * 32)
    take_over(backends, folder)
    assert primary(backends) == "ab" * 32


def test_a_choice_that_cannot_be_read_is_an_error(backends: Backends, folder: Path) -> None:
    (folder / "active").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigurationError, match="Cannot read"):
        take_over(backends, folder)


def test_a_choice_of_another_model_of_the_code_is_deployed(backends: Backends, folder: Path) -> None:
    """What a release before had as its default may come with the code still, though not as the default."""
    (folder / "active").write_text(registry.all_shipped()[1].sha256)
    take_over(backends, folder)
    assert primary(backends) == registry.all_shipped()[1].sha256
    assert not (folder / "active").exists()


def test_the_shipped_model_as_a_file_needs_no_deployment(backends: Backends, folder: Path) -> None:
    sha256 = registry.shipped().sha256
    shutil.copyfile(registry.DEFAULT, folder / f"{sha256}.safetensors")
    (folder / "active").write_text(sha256)
    take_over(backends, folder)
    assert primary(backends) is None
