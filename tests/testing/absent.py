"""What to do about a program that a test needs and this machine lacks."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def absent(what: str) -> NoReturn:
    """Skip the test and say why; in CI, where nothing that can run is skipped, fail it."""
    if os.environ.get("CI"):
        pytest.fail(f"{what}: in CI nothing that can run is skipped")
    pytest.skip(what)
