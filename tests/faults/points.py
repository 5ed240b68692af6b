"""Moments inside a process of the service at which a test may order a fault. Orders are files in a directory.

Only the tests' own entries of worker and web (`worker_process`, `web_process`) look here: production code has no hooks.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

from tests.testing.polling import wait_until

VARIABLE = "FAULT_POINTS"
"""Names the directory. Without the prefix of our settings, of which an unknown one stops a process."""

ACTIONS = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}


def reached(point: str) -> None:
    """Carry out what is ordered for this moment. If several processes reach it, one of them takes the order."""
    order = Path(os.environ[VARIABLE]) / point
    taken = order.with_suffix(".taken")
    try:
        order.rename(taken)
    except FileNotFoundError:
        return
    os.killpg(os.getpgrp(), ACTIONS[taken.read_text()])


def active(condition: str) -> bool:
    """Whether this lasting condition is ordered."""
    return (Path(os.environ[VARIABLE]) / condition).exists()


class Orders:
    """The orders, as a test gives them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir()

    def give(self, point: str, action: str) -> None:
        """Let the next process that reaches `point` do `action`."""
        (self.directory / f"{point}.taken").unlink(missing_ok=True)
        written = self.directory / f"{point}.new"
        written.write_text(action)
        written.rename(self.directory / point)

    def wait_until_taken(self, point: str, *, timeout_s: float) -> None:
        taken = self.directory / f"{point}.taken"
        wait_until(taken.exists, timeout_s=timeout_s, what=f"a process that reaches {point!r}")

    def begin(self, condition: str) -> None:
        (self.directory / condition).touch()

    def end(self, condition: str) -> None:
        (self.directory / condition).unlink()

    def clear(self) -> None:
        """Withdraw everything, whether or not it was carried out."""
        for order in self.directory.iterdir():
            order.unlink()
