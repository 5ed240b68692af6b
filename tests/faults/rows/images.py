"""Images that bring down what touches them, in a batch of good ones."""

from __future__ import annotations

from db.tables import Image
from tests.faults.matrix import Row, Run, nothing
from tests.faults.worker_process import CRASHES, KILLS
from tests.testing import factories

GOOD = factories.png(7, size_px=(40, 30))
CUT = factories.jpeg(8, size_px=(400, 300))[:3000]
"""Its header is sound, so that it is accepted; its pixels are not all there."""


def batch_mates_are_screened(run: Run, rows: list[Image]) -> list[str]:
    """An image that shared a batch with the bad one must not use up its attempts."""
    bad = {run.load.full_name(name) for name in ("poison.png", "crash.png", "cut.jpg")}
    worst = max(row.attempt for row in rows if row.filename not in bad)
    return [f"a good image needed {worst} attempts"] if worst > 2 else []


ROWS = [
    Row(
        "image that kills the worker",
        "in a batch of good ones",
        inject=nothing,
        files={"poison.png": GOOD + KILLS},
        fails={"poison.png": "attempts_exhausted"},
        check=batch_mates_are_screened,
    ),
    Row(
        "image that crashes the decoder",
        "in a batch of good ones",
        inject=nothing,
        files={"crash.png": GOOD + CRASHES},
        fails={"crash.png": "worker_error"},
        check=batch_mates_are_screened,
        short_on="postgresql",
    ),
    Row(
        "image cut off in the middle",
        "in a batch of good ones",
        inject=nothing,
        files={"cut.jpg": CUT},
        fails={"cut.jpg": "corrupt_image"},
        check=batch_mates_are_screened,
    ),
]
