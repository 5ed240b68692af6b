"""Importing and finding models as files; a broken one is never passed over in silence."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import ModelInvalid
from model.registry import PAEDIATRIC, SHIPPED, Registry
from tests.unit.model.factories import save_model


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three checkpoints: default, other, and other's namesake."""
    folder = tmp_path_factory.mktemp("models")
    save_model(folder / "default.safetensors", seed=0, name="shipped")
    save_model(folder / "other.safetensors", seed=1, name="other")
    save_model(folder / "namesake.safetensors", seed=2, name="other")
    return folder


@pytest.fixture
def registry(files: Path, tmp_path: Path) -> Registry:
    return Registry(tmp_path / "models", shipped=(files / "default.safetensors",))


def test_only_the_default_at_first(registry: Registry) -> None:
    [entry] = registry.list()
    assert entry.name == "shipped"
    assert registry.primary() == registry.get("default") == entry
    assert not registry.models_dir.exists()


def test_import_is_named_by_hash(registry: Registry, files: Path) -> None:
    entry = registry.import_(files / "other.safetensors")
    assert entry.path == registry.models_dir / f"{entry.sha256}.safetensors"
    assert registry.primary().name == "shipped"
    assert [e.name for e in registry.list()] == ["shipped", "other"]


def test_importing_twice_changes_nothing(registry: Registry, files: Path) -> None:
    first = registry.import_(files / "other.safetensors")
    assert registry.import_(files / "other.safetensors") == first
    assert [path.name for path in registry.models_dir.iterdir()] == [first.path.name]


def test_default_imported_as_a_file_is_listed_once(registry: Registry) -> None:
    entry = registry.import_(registry.default)
    assert [e.sha256 for e in registry.list()] == [entry.sha256]
    assert registry.primary().path == registry.default


def test_get_by_hash_prefix(registry: Registry, files: Path) -> None:
    entry = registry.import_(files / "other.safetensors")
    assert registry.get(entry.sha256) == entry
    assert registry.get(entry.sha256[:8]) == entry
    with pytest.raises(ModelInvalid, match="Known: other, shipped"):
        registry.get(entry.sha256[:7])


def test_two_of_one_name_need_the_hash(registry: Registry, files: Path) -> None:
    first = registry.import_(files / "other.safetensors")
    registry.import_(files / "namesake.safetensors")
    with pytest.raises(ModelInvalid, match=first.sha256[:12]):
        registry.get("other")
    assert registry.get(first.sha256) == first


def test_import_refuses_what_is_no_checkpoint(registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(ModelInvalid, match=r"notes\.txt"):
        registry.import_(tmp_path / "notes.txt")
    assert not registry.models_dir.exists()


def test_a_model_that_was_changed_is_an_error(registry: Registry, files: Path) -> None:
    entry = registry.import_(files / "other.safetensors")
    entry.path.write_bytes((files / "namesake.safetensors").read_bytes())
    with pytest.raises(ModelInvalid, match="has sha256"):
        registry.list()


def test_what_comes_with_the_code_is_known_by_the_stem_of_its_file(tmp_path: Path) -> None:
    shipped = Registry(tmp_path)
    assert [entry.path for entry in shipped.list()] == list(SHIPPED)
    assert shipped.get("paediatric").path == PAEDIATRIC
    assert shipped.primary() == shipped.get("default") == shipped.list()[0]


def test_the_shipped_model_gone_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ModelInvalid, match="There is no model at"):
        Registry(tmp_path, shipped=(tmp_path / "default.safetensors",)).primary()
