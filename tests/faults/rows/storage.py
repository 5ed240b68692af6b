"""The blob store full, gone, or with bytes that cannot be read."""

from __future__ import annotations

import errno
import resource
import time
from pathlib import Path

from db.models import Image
from tests.faults.matrix import Row, Run

BLOCK = bytes(64 * 1024)


def fill(run: Run) -> None:
    """To the last byte; where no file system may be mounted, the web process may write no file instead."""
    if not run.stack.on_tmpfs:
        for pid in run.stack.web.pids():
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    else:
        _write_until_full(run.stack.settings.blobs / "filler")
    _wait_for_refusals(run)


def make_room(run: Run) -> None:
    for pid in run.stack.web.pids() if not run.stack.on_tmpfs else []:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    (run.stack.settings.blobs / "filler").unlink(missing_ok=True)


def _write_until_full(path: Path) -> None:
    with path.open("wb", buffering=0) as filler:
        for block in (BLOCK, BLOCK[:512], b"0"):
            try:
                while True:
                    filler.write(block)
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise


def take_away(run: Run) -> None:
    """Nothing can be written (the share is not mounted); what is stored can still be read."""
    blobs = run.stack.settings.blobs
    (blobs / "incoming").rename(blobs / "incoming.away")
    _wait_for_refusals(run)


def bring_back(run: Run) -> None:
    blobs = run.stack.settings.blobs
    (blobs / "incoming.away").rename(blobs / "incoming")


def _wait_for_refusals(run: Run) -> None:
    before = len(run.load.ledger.refused)
    run.wait_until(lambda: len(run.load.ledger.refused) > before, "an upload to be refused")
    time.sleep(run.profile.spread_s)


def refused_politely(run: Run, _rows: list[Image]) -> list[str]:
    """With a sentence that says what the operator has to look at."""
    answers = set(run.load.ledger.refused.values())
    return [f"an answer that helps nobody: {text}" for text in answers if "storage_" not in text]


def begin_read_errors(run: Run) -> None:
    run.stack.orders.begin("read_errors")
    time.sleep(run.profile.spread_s)


ROWS = [
    Row("disk full", "at upload", inject=fill, restore=make_room, check=refused_politely),
    Row("blob store not writable", "at upload", inject=take_away, restore=bring_back, check=refused_politely),
    Row(
        "blob store gives read errors",
        "at decoding",
        inject=begin_read_errors,
        restore=lambda run: run.stack.orders.end("read_errors"),
        short_on="postgresql",
    ),
]
