"""Writes docs/configuration.md from `core.settings`: `make docs`. A test compares the two."""

from __future__ import annotations

from pathlib import Path

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from core.settings import PREFIX, variables

PAGE = Path(__file__).resolve().parents[1] / "docs" / "configuration.md"
HEAD = f"""# Configuration

Every process reads its settings from environment variables; a wrong value or an unknown name stops it at start with
a sentence that names the variable. Any of them may be given as a file instead, by adding `_FILE` to the name
(`{PREFIX}DATABASE_URL_FILE=/run/secrets/database_url`), the way Docker and Kubernetes hand over secrets.
`pneumoscreen up` sets what it needs itself; a variable set by you wins.

| variable | default | meaning |
|---|---|---|
"""
TAIL = f"""
The command line also reads `{PREFIX}URL` and `{PREFIX}TOKEN` (where `submit` sends images, and as whom); the tests
read `{PREFIX}TEST_DATA`.

This page is made from `core/settings/` by `make docs`.
"""


def page() -> str:
    """The page as Markdown."""
    rows = [_row(name, variable.info) for name, variable in variables().items()]
    return HEAD + "".join(rows) + TAIL


def _row(name: str, field: FieldInfo) -> str:
    default = field.default.get_secret_value() if isinstance(field.default, SecretStr) else field.default
    shown = f"`{default}`" if default not in (None, "") else ""
    return f"| `{PREFIX}{name}` | {shown} | {field.description} |\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
