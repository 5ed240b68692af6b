"""Files from the field, made after public bug reports, through the code of `screen` with the model that ships.

They lie beside the real X-rays, in the folder `cases`. Made from two radiographs, one normal and one with pneumonia.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.screen import screen_files
from client.sources import Sources
from core.csv_lines import Row
from core.settings import Settings
from model import loaded
from model.loaded import LoadedModel
from model.registry import Registry

TOLERANCE = 0.05
"""Of a probability, against that of the same radiograph as a plain 8-bit PNG."""

JUDGED = {
    "png16": 8,
    "sloppy": 4,
    "jpeg-processes": 2,
    "exif": 1,
    "png-chunks": 2,
}
"""How many files of each folder get a result."""
NOT_READ = {
    "sloppy/normal_height0_dnl.jpg": "(DNL)",
    "jpeg-processes/normal_jpegls.jpg": "a JPEG-LS image",
}
"""What the sentence about each names."""
DAMAGED = {
    "normal_cut50_eoi_appended.jpg": 50,
    "normal_cut90_eoi_appended.jpg": 90,
    "normal_cut97_eoi_appended.jpg": 97,
    "normal_sof_height_doubled.jpg": 50,
    "normal_zeros_after90.jpg": 90,
    "pneumonia_cut90_eoi_appended.jpg": 90,
    "pneumonia_zeros_after50.jpg": 50,
}
"""The percentage of the picture that is there."""


@pytest.fixture(scope="module")
def cases(shared_data: Path) -> Path:
    path = shared_data.parent / "cases"
    if not path.is_dir():
        pytest.skip(f"no files from the field at {path}")
    return path


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    return loaded.load(Registry(tmp_path_factory.mktemp("models")).primary(), "auto")


def screened(folder: Path, model: LoadedModel, settings: Settings) -> dict[str, Row]:
    with Sources([folder], max_bytes=settings.limits.max_upload_bytes) as sources:
        rows: list[Row] = []
        screen_files(sources, model, settings, rows.append)
    return {row.filename: row for row in rows}


@pytest.mark.parametrize("folder", JUDGED)
def test_what_a_radiologist_would_read_gets_the_result_of_its_radiograph(
    folder: str, cases: Path, shipped: LoadedModel, settings: Settings
) -> None:
    plain = {kind: screened(cases / f"{kind}.png", shipped, settings) for kind in ("normal", "pneumonia")}
    expected = {kind: row.probability for kind, rows in plain.items() for row in rows.values()}
    rows = screened(cases / folder, shipped, settings)
    judged = {name: row for name, row in rows.items() if row.state == "done"}

    assert len(judged) == JUDGED[folder]
    assert {name: row.decision for name, row in judged.items()} == {name: name.split("_")[0] for name in judged}
    for name, row in judged.items():
        assert row.probability == pytest.approx(expected[name.split("_")[0]], abs=TOLERANCE), name


@pytest.mark.parametrize("file", NOT_READ)
def test_what_is_not_read_is_named(file: str, cases: Path, shipped: LoadedModel, settings: Settings) -> None:
    (row,) = screened(cases / file, shipped, settings).values()

    assert row.state == "rejected"
    assert NOT_READ[file] in row.error


def test_what_is_damaged_fails_and_tells_how_much_is_there(
    cases: Path, shipped: LoadedModel, settings: Settings
) -> None:
    rows = screened(cases / "damaged", shipped, settings)

    assert rows.keys() == DAMAGED.keys()
    for name, row in rows.items():
        assert (row.state, row.probability) == ("failed", None), name
        told = int(row.error.split("%")[0].split()[-1])
        assert told == pytest.approx(DAMAGED[name], abs=4), name
