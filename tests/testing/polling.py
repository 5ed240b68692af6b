"""Waiting for another thread or process without guessing how long it takes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

POLL_S = 0.02

T = TypeVar("T")


def wait_until(condition: Callable[[], T | None], *, timeout_s: float = 120.0, what: str = "the condition") -> T:
    """Return the first true value of `condition`; fail the test if `what` takes longer than `timeout_s`."""
    deadline_s = time.monotonic() + timeout_s
    while not (value := condition()):
        assert time.monotonic() < deadline_s, f"after {timeout_s:g} s still waiting for {what}"
        time.sleep(POLL_S)
    return value
