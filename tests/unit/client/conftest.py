"""Retries that follow each other at once."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def short_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("client.retries.FIRST_DELAY_S", 0.001)
