"""What is passed over beside radiographs, by name."""

from __future__ import annotations

import pytest

from imaging import skipping
from imaging.skipping import COMPANIONS, HIDDEN, RECYCLED, SYSTEM, THUMBNAILS


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("@eaDir/study0.jpg/SYNOFILE_THUMB_M.jpg", THUMBNAILS),
        (".@__thumb/s100study0.jpg", THUMBNAILS),
        ("ward/Thumbs.db", THUMBNAILS),
        ("ehthumbs.db", THUMBNAILS),
        ("#recycle/a.jpg", RECYCLED),
        ("@Recycle/a.jpg", RECYCLED),
        ("$RECYCLE.BIN/S-1-5/a.jpg", RECYCLED),
        (".Trashes/501/a.jpg", RECYCLED),
        (".Trash-1000/files/a.jpg", RECYCLED),
        ("System Volume Information/a.jpg", SYSTEM),
        ("__MACOSX/a.jpg", SYSTEM),
        ("lost+found/a.jpg", SYSTEM),
        (".Spotlight-V100/a.jpg", SYSTEM),
        (".DS_Store", SYSTEM),
        ("desktop.ini", SYSTEM),
        ("ward/._a.jpg", SYSTEM),
        (".hidden.jpg", HIDDEN),
        (".git/annex/a.jpg", HIDDEN),
        ("DICOMDIR", COMPANIONS),
        ("README", COMPANIONS),
        ("readme.md", COMPANIONS),
        ("labels.CSV", COMPANIONS),
        ("report.pdf", COMPANIONS),
        ("SHA256SUMS", COMPANIONS),
        ("a.jpg.md5", COMPANIONS),
    ],
)
def test_what_is_passed_over(path: str, why: str) -> None:
    assert skipping.reason(path.split("/")) == why


@pytest.mark.parametrize(
    "path",
    [
        "a.jpg",
        "A.PNG",
        "ward/IM000001",
        "x.dcm",
        "x.tif",
        "x.heic",
        "x.zip",
        "readme.jpg",
        "eaDir/a.jpg",
        "txt",
        "a.b.jpeg",
    ],
)
def test_what_may_be_an_image_is_not(path: str) -> None:
    assert skipping.reason(path.split("/")) is None
