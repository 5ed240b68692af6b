"""Reading labelled images into memory."""

from __future__ import annotations

import shutil
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.errors import InvalidInput
from tests.unit.training.synthetic import make_dataset, write_dataset
from training.data.dataset import read_dataset


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_dataset(tmp_path / "set", each=3)


def test_reads_a_folder_sorted(folder: Path) -> None:
    dataset = read_dataset([folder], for_training=True)
    assert dataset.names == sorted(dataset.names)
    assert dataset.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert dataset.pixels.shape == (6, 224, 224)
    assert dataset.patients[:3] == ["IM-0000", "IM-0001", "IM-0002"]
    assert dataset.causes.tolist() == [-1, -1, -1, 1, 1, 1]


def test_tar_gives_the_same(folder: Path, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "set.tar", "w") as archive:
        archive.add(folder, arcname=".")
    from_tar = read_dataset([tmp_path / "set.tar"], for_training=True)
    assert from_tar.digest == read_dataset([folder], for_training=True).digest
    assert from_tar.patients == read_dataset([folder], for_training=True).patients


def test_class_folders_alone_will_do(folder: Path) -> None:
    assert (
        read_dataset([folder / "train"], for_training=True).digest == read_dataset([folder], for_training=True).digest
    )


def test_digest_depends_on_labels_and_pixels(folder: Path) -> None:
    before = read_dataset([folder], for_training=True).digest
    file = next((folder / "train" / "NORMAL").iterdir())
    file.rename(folder / "train" / "PNEUMONIA" / file.name)
    assert read_dataset([folder], for_training=True).digest != before


def test_duplicates_are_left_out_or_kept(folder: Path) -> None:
    normal = folder / "train" / "NORMAL"
    shutil.copy(normal / "IM-0000-0000.png", normal / "IM-0099-0000.png")
    dataset = read_dataset([folder], for_training=True)
    assert (len(dataset.names), dataset.duplicates) == (6, 1)
    kept = read_dataset([folder], for_training=False)
    assert (len(kept.names), kept.duplicates) == (7, 0)


def test_official_test_split_is_not_trained_on(folder: Path) -> None:
    shutil.copytree(folder / "train", folder / "test")
    file = next((folder / "test" / "NORMAL").iterdir())
    file.write_bytes(file.read_bytes() + b"no duplicate")
    assert not any("/test/" in name for name in read_dataset([folder], for_training=True).names)
    assert len(read_dataset([folder], for_training=False).names) == 12
    assert len(read_dataset([folder / "test"], for_training=True).names) == 6


def test_progress_ends_at_the_total(folder: Path) -> None:
    seen: list[tuple[int, int]] = []
    read_dataset([folder], lambda done, total: seen.append((done, total)), for_training=True)
    assert seen == [(done, 6) for done in range(1, 7)]


def test_a_class_without_images(folder: Path) -> None:
    shutil.rmtree(folder / "train" / "NORMAL")
    with pytest.raises(InvalidInput, match="NORMAL"):
        read_dataset([folder], for_training=True)


def test_damaged_image_is_named(folder: Path) -> None:
    (folder / "train" / "NORMAL" / "IM-0000-0000.png").write_bytes(b"nonsense")
    with pytest.raises(InvalidInput, match=r"IM-0000-0000\.png: .* Remove it"):
        read_dataset([folder], for_training=True)


def test_several_sets_become_one(folder: Path, tmp_path: Path) -> None:
    """A list tells more of its images than a folder does; files of one name in two sets are two images."""
    file = next((folder / "train" / "NORMAL").iterdir())
    other = tmp_path / "other"
    (other / "train" / "NORMAL").mkdir(parents=True)
    (other / "train" / "NORMAL" / file.name).write_bytes(file.read_bytes() + b"no duplicate")
    (other / "adults.csv").write_text(
        f"path,label,patient,source,view,age\ntrain/NORMAL/{file.name},NORMAL,p1,ward,ap,71\n"
    )
    dataset = read_dataset([folder, other / "adults.csv"], for_training=True)
    assert len(set(dataset.names)) == len(dataset.names) == 7
    index = dataset.names.index(f"adults/train/NORMAL/{file.name}")
    assert (dataset.patients[index], dataset.sources[index], dataset.views[index]) == ("p1", "ward", "AP")
    assert dataset.ages_years[index] == 71
    assert set(dataset.sources) == {folder.stem, "ward"}
    assert np.isnan(np.delete(dataset.ages_years, index)).all()


def test_a_list_whose_file_is_missing(folder: Path) -> None:
    (folder / "list.csv").write_text("path,label\nmissing.png,0\nnowhere.png,1\n")
    with pytest.raises(InvalidInput, match=r"Cannot read list/missing\.png: No such file"):
        read_dataset([folder / "list.csv"], for_training=True)


def test_select_keeps_what_is_known_of_each_image() -> None:
    whole = replace(make_dataset([0, 1, 1], ["a", "b", "c"]), sources=["x", "y", "z"], ages_years=np.array([1.0, 2, 3]))
    part = whole.select(np.array([True, False, True]))
    assert (part.names, part.patients, part.sources) == (["0.png", "2.png"], ["a", "c"], ["x", "z"])
    assert (part.labels.tolist(), part.ages_years.tolist(), len(part.pixels)) == ([0, 1], [1.0, 3.0], 2)
