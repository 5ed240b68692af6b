"""`screen`: the pipeline in one process, with an engine whose answer can be read off the image."""

from __future__ import annotations

import csv
import zipfile
from pathlib import Path
from types import SimpleNamespace

import PIL.Image
import pytest

from cli.screen import screen_files
from client.sources import Sources
from core.csv_lines import Row
from core.populations import Population
from core.settings import Settings
from model.loaded import LoadedModel
from tests.testing import factories
from tests.testing.fakes import FAKE_SHA256, FakeEngine, fake_model
from tests.unit.cli.conftest import Invoke


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The registry has models `default` and `other`, which load as the fake; notes which was loaded."""
    loaded: list[str] = []
    monkeypatch.setattr("model.registry.Registry.get", lambda _self, key: SimpleNamespace(name=key))
    monkeypatch.setattr("core.logs.configure", lambda *_: None)

    def load(entry: SimpleNamespace, engine: str) -> LoadedModel:
        loaded.append(f"{entry.name} on {engine}")
        return fake_model()

    monkeypatch.setattr("model.loaded.load", load)
    return loaded


def rows_of(
    settings: Settings, model: LoadedModel, *paths: Path, population: Population | None = None
) -> dict[str, Row]:
    with Sources(paths, max_bytes=settings.limits.max_upload_bytes) as sources:
        rows: list[Row] = []
        screen_files(sources, model, settings, rows.append, population)
    return {row.filename: row for row in rows}


def test_images_are_screened_in_batches(settings: Settings, engine: FakeEngine, folder: Path) -> None:
    rows = rows_of(settings, fake_model(engine), folder)

    assert engine.batch_sizes == [4, 1]
    assert list(rows) == ["a.png", "b.png", "below/d.jpg", "below/e.jpg", "c.png"]
    assert {row.state for row in rows.values()} == {"done"}
    assert rows["a.png"].probability == pytest.approx(0.4, abs=0.02)
    assert rows["a.png"].model == f"fake-brightness@{FAKE_SHA256[:12]}"


def test_decisions(settings: Settings, engine: FakeEngine, tmp_path: Path) -> None:
    (tmp_path / "bright.png").write_bytes(factories.png(brightness=0.7))
    (tmp_path / "dark.png").write_bytes(factories.png(brightness=0.3))

    rows = rows_of(settings, fake_model(engine), tmp_path)

    assert {name: row.decision for name, row in rows.items()} == {"bright.png": "pneumonia", "dark.png": "normal"}


def test_an_image_unlike_the_training_images_is_refused(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "odd.png").write_bytes(factories.png(brightness=0.99))
    row = rows_of(settings, fake_model(ood_limit=0.5), tmp_path)["odd.png"]

    assert (row.state, row.decision) == ("done", "refused")
    assert row.probability is not None
    assert "can't judge it" in row.reason


def test_all_are_judged_as_of_the_population_that_was_chosen(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(factories.png(brightness=0.45))
    for chosen, decision in ((None, "pneumonia"), (Population.ADULT, "normal")):
        row = rows_of(settings, fake_model(populations=True), tmp_path, population=chosen)["a.png"]
        assert (row.population, row.decision) == (chosen or "child", decision)


def test_a_lateral_view_is_refused_and_named(settings: Settings, tmp_path: Path) -> None:
    PIL.Image.fromarray(factories.radiograph(brightness=0.8).clip(140, 255)).save(tmp_path / "side.png")
    row = rows_of(settings, fake_model(gate=True), tmp_path)["side.png"]

    assert (row.decision, row.kind, row.view) == ("refused", "lateral", "lateral")
    assert "a lateral view" in row.reason


def test_one_bad_file_is_one_row(settings: Settings, engine: FakeEngine, folder: Path) -> None:
    (folder / "cut.png").write_bytes(factories.png()[:600])
    (folder / "letter.png").write_bytes(b"%PDF-1.7")
    (folder / "empty.png").touch()

    rows = rows_of(settings, fake_model(engine), folder)

    states = {name: row.state for name, row in rows.items() if row.state != "done"}
    assert states == {"cut.png": "failed", "letter.png": "rejected", "empty.png": "rejected"}
    assert "a PDF document" in rows["letter.png"].error
    assert len(rows) == 8


def test_a_zip_and_an_empty_folder(settings: Settings, engine: FakeEngine, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("x/a.png", factories.png())
    (tmp_path / "empty").mkdir()

    rows = rows_of(settings, fake_model(engine), tmp_path / "a.zip", tmp_path / "empty")

    assert {name: (row.state, row.error) for name, row in rows.items()} == {
        "a.zip/x/a.png": ("done", ""),
        "empty": ("rejected", "The folder has no files."),
    }


def test_the_command(invoke: Invoke, registry: list[str], folder: Path, tmp_path: Path) -> None:
    result = invoke("screen", folder, "--csv", tmp_path / "out.csv")

    assert result.exit_code == 0
    assert "5 files:\n  normal             5\n" in result.stdout
    assert "never a diagnosis" in result.stdout
    assert result.stderr == "Screening: 5 of 5\n"
    with (tmp_path / "out.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["filename"] for row in rows] == ["a.png", "b.png", "below/d.jpg", "below/e.jpg", "c.png"]
    assert registry == ["default on auto"]


def test_a_file_without_a_result_is_exit_status_3(invoke: Invoke, registry: list[str], tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")

    result = invoke("screen", tmp_path / "notes.txt", "--model", "other")

    assert result.exit_code == 3
    assert "notes.txt: Not a JPEG or PNG image: this looks like a text file." in result.stdout
    assert registry == ["other on auto"]


def test_an_unknown_model(invoke: Invoke, folder: Path) -> None:
    result = invoke("screen", folder, "--model", "no-such-model")

    assert result.exit_code == 1
    assert "no-such-model" in result.stderr


@pytest.mark.usefixtures("registry")
def test_a_missing_path(invoke: Invoke, tmp_path: Path) -> None:
    assert invoke("screen", tmp_path / "missing").exit_code == 2
