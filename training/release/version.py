"""Which version of the code made a checkpoint."""

from __future__ import annotations

import importlib.metadata
import tomllib
from pathlib import Path


def code_version() -> str:
    """The installed version, or that of the checkout with `+source` when it runs without being installed."""
    try:
        return importlib.metadata.version("pneumoscreen")
    except importlib.metadata.PackageNotFoundError:
        project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))
        return f"{project['project']['version']}+source"
