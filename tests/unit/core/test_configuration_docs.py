"""docs/configuration.md tells every setting as the code has it."""

from __future__ import annotations

from scripts.configuration_docs import PAGE, page


def test_the_configuration_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run `make docs`"
