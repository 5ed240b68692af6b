"""The blob store full, gone, or with bytes that cannot be read."""

from __future__ import annotations

import errno
import hashlib
import os
import resource
import shutil
import subprocess
import time
from pathlib import Path

from db.tables import Image
from storage import marker
from storage.local import LocalBlobStore
from tests.faults.matrix import Row, Run

BLOCK = bytes(64 * 1024)
FOREIGN = b"an image of another hospital"


def fill(run: Run) -> None:
    """Fill the disk to the last byte; where no file system may be mounted, forbid the web process to write files."""
    if not run.stack.on_tmpfs:
        for pid in run.stack.web.pids():
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    else:
        _write_until_full(run.stack.settings.storage.blobs / "filler")
    _wait_for_refusals(run)


def make_room(run: Run) -> None:
    for pid in run.stack.web.pids() if not run.stack.on_tmpfs else []:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    (run.stack.settings.storage.blobs / "filler").unlink(missing_ok=True)


def _write_until_full(path: Path) -> None:
    with path.open("wb", buffering=0) as filler:
        for block in (BLOCK, BLOCK[:512], b"0"):
            try:
                while True:
                    filler.write(block)
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise


def make_unwritable(run: Run) -> None:
    """Nothing can be written; what is stored can be read."""
    blobs = run.stack.settings.storage.blobs
    (blobs / "incoming").rename(blobs / "incoming.away")
    (blobs / "incoming").touch()  # else the store would make the folder again
    _wait_for_refusals(run)


def make_writable(run: Run) -> None:
    blobs = run.stack.settings.storage.blobs
    (blobs / "incoming").unlink()
    (blobs / "incoming.away").rename(blobs / "incoming")


def _wait_for_refusals(run: Run) -> None:
    before = len(run.load.ledger.refused)
    run.wait_until(lambda: len(run.load.ledger.refused) > before, "an upload to be refused")
    time.sleep(run.profile.spread_s)


def refused_with_a_reason(run: Run, _rows: list[Image]) -> list[str]:
    """Every refusal says that the storage is the problem."""
    answers = set(run.load.ledger.refused.values())
    return [f"an answer that helps nobody: {text}" for text in answers if "storage_" not in text]


def begin_read_errors(run: Run) -> None:
    run.stack.orders.begin("read_errors")
    time.sleep(run.profile.spread_s)


def unmount(run: Run) -> None:
    """The folder is not mounted: at its place lies an empty one."""
    _cover(run)
    _wait_for_refusals(run)


def mount_another(run: Run) -> None:
    """At its place lies the store of another installation, with an old file that no image of ours names."""
    blobs = _cover(run)
    LocalBlobStore(blobs).make(marker.new_id())
    sha256 = hashlib.sha256(FOREIGN).hexdigest()
    (blobs / sha256[:2] / sha256).write_bytes(FOREIGN)
    os.utime(blobs / sha256[:2] / sha256, (1000, 1000))
    run.notes["before"] = _files(blobs)
    _wait_for_refusals(run)


def _cover(run: Run) -> Path:
    """Hide the blob folder behind an empty one, by a mount where the folder is one itself."""
    blobs = run.stack.settings.storage.blobs
    if run.stack.on_tmpfs:
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(blobs)], check=True)
    else:
        blobs.rename(blobs.with_name("blobs.away"))
        blobs.mkdir()
    run.notes["before"] = _files(blobs)
    return blobs


def uncover(run: Run) -> None:
    blobs = run.stack.settings.storage.blobs
    run.notes["after"] = _files(blobs)
    if run.stack.on_tmpfs:
        subprocess.run(["umount", "--lazy", str(blobs)], check=True)
    else:
        shutil.rmtree(blobs)
        blobs.with_name("blobs.away").rename(blobs)


def _files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def untouched(run: Run, rows: list[Image]) -> list[str]:
    """Nothing was written at the place of the folder, nothing removed, and no image lost a try to it."""
    problems = refused_with_a_reason(run, rows)
    if run.notes["before"] != run.notes["after"]:
        problems.append("what lay at the place of the blob folder was changed")
    return problems + [f"image {row.id} failed: {row.error_code}" for row in rows if row.error_code == "blob_missing"]


ROWS = [
    Row("blob folder not mounted", "under load", inject=unmount, restore=uncover, check=untouched),
    Row(
        "another blob folder mounted",
        "under load",
        inject=mount_another,
        restore=uncover,
        check=untouched,
        short_on="postgresql",
    ),
    Row("disk full", "at upload", inject=fill, restore=make_room, check=refused_with_a_reason),
    Row(
        "blob store not writable",
        "at upload",
        inject=make_unwritable,
        restore=make_writable,
        check=refused_with_a_reason,
    ),
    Row(
        "blob store gives read errors",
        "at decoding",
        inject=begin_read_errors,
        restore=lambda run: run.stack.orders.end("read_errors"),
        short_on="postgresql",
    ),
]
