"""Programs fill their places in the documents."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.testing.documents import write_into
from tests.testing.paths import REPOSITORY


def test_text_replaces_what_is_between_the_marks(tmp_path: Path) -> None:
    document = tmp_path / "page.md"
    document.write_text("a\n<!-- figures: make bench -->\nold\n<!-- end of figures -->\nb\n")

    write_into(document, "figures", r"new \1")
    write_into(document, "figures", "newer")

    assert document.read_text() == ("a\n<!-- figures: make bench -->\n\nnewer\n\n<!-- end of figures -->\nb\n")


def test_a_document_without_the_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text("nothing")

    with pytest.raises(ValueError, match="no place for figures"):
        write_into(tmp_path / "page.md", "figures", "new")


@pytest.mark.parametrize(
    ("document", "name"),
    [
        ("performance.md", "figures"),
        ("performance.md", "figures of a GPU"),
        ("performance.md", "profiles"),
        ("sizing.md", "sizing"),
        ("reliability.md", "table"),
    ],
)
def test_our_documents_have_their_places(tmp_path: Path, document: str, name: str) -> None:
    copy = tmp_path / document
    copy.write_text((REPOSITORY / "docs" / document).read_text())

    write_into(copy, name, "written by a program")

    assert "written by a program" in copy.read_text()
