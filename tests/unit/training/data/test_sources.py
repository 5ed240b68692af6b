"""Labelled files in folders, archives and lists, and what their names say."""

from __future__ import annotations

import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest

from core.errors import InvalidInput
from tests.unit.training.synthetic import write_dataset
from training.data import sources
from training.data.sources import Item


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_dataset(tmp_path / "set", each=3)


def seen(source: Path) -> list[tuple[str, int, str, bytes]]:
    return sorted((item.name, item.label, item.patient, item.load()) for item in sources.items(source))


@pytest.mark.parametrize(
    ("name", "patient", "cause"),
    [
        ("train/PNEUMONIA/person1946_bacteria_4874.jpeg", "person1946", 0),
        ("person7_virus_9.jpeg", "person7", 1),
        ("train/NORMAL/IM-0115-0001.jpeg", "IM-0115", -1),
        ("NORMAL2-IM-0115-0001-0002.jpeg", "IM-0115", -1),
        ("somebody_virus.png", "somebody_virus", -1),
    ],
)
def test_what_a_name_says(name: str, patient: str, cause: int) -> None:
    assert (sources.patient_of(name), sources.cause_of(name)) == (patient, cause)


@pytest.mark.parametrize("kind", ["tar", "gztar", "zip"])
def test_archives_give_the_same_as_the_folder(folder: Path, tmp_path: Path, kind: str) -> None:
    if kind == "zip":
        archive = Path(shutil.make_archive(str(tmp_path / "set"), kind, folder))
    else:
        archive = tmp_path / "set.tar"
        with tarfile.open(archive, "w:gz" if kind == "gztar" else "w") as out:
            out.add(folder / "train", arcname="train")
    assert len(seen(archive)) == 6
    assert seen(archive) == seen(folder)


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_a_member_that_unpacks_to_more_than_an_image_has_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    folder = tmp_path / "set" / "NORMAL"
    folder.mkdir(parents=True)
    (folder / "bomb.png").write_bytes(bytes(2000))
    archive = Path(shutil.make_archive(str(tmp_path / "archive"), kind, tmp_path / "set"))
    monkeypatch.setattr(sources, "MAX_FILE_BYTES", 1000)
    with pytest.raises(InvalidInput, match=r"NORMAL/bomb\.png unpacks to more than"):
        list(sources.items(archive))


def test_a_link_in_a_tar_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    archive = tmp_path / "set.tar"
    with tarfile.open(archive, "w") as out:
        link = tarfile.TarInfo("NORMAL/a.png")
        link.type, link.linkname = tarfile.SYMTYPE, str(tmp_path / "secret")
        out.addfile(link)
    assert list(sources.items(archive)) == []


def write_csv(folder: Path, text: str) -> Path:
    file = folder / "list.csv"
    file.write_text(text)
    return file


def test_a_list_takes_paths_from_its_own_folder(folder: Path) -> None:
    names = [item.name for item in sorted(sources.items(folder), key=lambda item: item.name)]
    rows = [f"{names[0]},NORMAL,anna", f"{names[1]},0,", f"{names[5]},pneumonia,", f"{names[4]},1,ben"]
    found = list(sources.items(write_csv(folder, "path,label,patient\n" + "\n".join(rows))))
    assert [item.label for item in found] == [0, 0, 1, 1]
    assert [item.patient for item in found] == ["anna", "IM-0001", "person2", "ben"]
    assert found[0].load() == (folder / names[0]).read_bytes()


def test_a_list_without_patients(folder: Path) -> None:
    (item,) = sources.items(write_csv(folder, "label,path\n1,x/person3_virus_1.png\n"))
    assert isinstance(item, Item)
    assert item.patient == "person3"


@pytest.mark.parametrize(
    ("text", "named"), [("file,label\na.png,0\n", "columns path and label"), ("path,label\na.png,ill\n", "line 2.*ill")]
)
def test_mistakes_in_a_list_are_named(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises(InvalidInput, match=named):
        list(sources.items(write_csv(tmp_path, text)))


def test_other_files_are_ignored(folder: Path) -> None:
    normal = folder / "train" / "NORMAL"
    (normal / ".DS_Store").write_bytes(b"x")
    (normal / "._IM-0000-0000.png").write_bytes(b"x")
    (folder / "train" / "cover.png").write_bytes(b"x")
    assert len(seen(folder)) == 6


def test_none_of_these(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    for source in (tmp_path / "file", tmp_path / "missing"):
        with pytest.raises(InvalidInput, match="neither"):
            sources.items(source)


def test_the_public_set(shared_data: Path) -> None:
    found = list(sources.items(shared_data / "chest_xray_224.tar"))
    labels = [item.label for item in found]
    assert (labels.count(0), labels.count(1)) == (1349, 3883)
    assert len(np.unique([item.patient for item in found])) == 2650
    assert {sources.cause_of(item.name) for item in found if item.label == 1} == {0, 1}
