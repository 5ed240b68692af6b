"""Names as they are stored and as they are shown."""

from __future__ import annotations

import pytest

from services.filenames import UNNAMED, clean, shown, stored


@pytest.mark.parametrize(
    ("sent", "visible"),
    [
        ("ward/müller.png", "ward/müller.png"),
        ("a\x00b\x1b[31m\u202ecod.png", "ab[31mcod.png"),
        ("  spaced.png  ", "spaced.png"),
        ("x" * 600 + ".png", "x" * 508 + ".png"),
        ("\x01\u200b", ""),
        ("\ud800.png", ".png"),
    ],
)
def test_a_name_is_cleaned_of_what_cannot_be_shown(sent: str, visible: str) -> None:
    assert clean(sent) == visible
    assert shown(sent) == (visible or UNNAMED)


def test_a_file_without_a_name_is_called_unnamed() -> None:
    assert (stored(""), shown(" \x01")) == (UNNAMED, UNNAMED)


def test_what_no_database_holds_is_replaced() -> None:
    assert stored("a\0b\ud800.png\n ") == "a\ufffdb\ufffd.png\n "


def test_of_a_long_name_the_end_is_kept() -> None:
    assert stored("ward/" * 200 + "a.png") == ("ward/" * 200 + "a.png")[-512:]
