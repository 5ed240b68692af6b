"""An environment without settings, which the processes of a launcher would inherit."""

from __future__ import annotations

import os

import pytest


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("PNEUMOSCREEN_"):
            monkeypatch.delenv(name)
