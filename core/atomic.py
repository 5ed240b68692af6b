"""Files that are there whole or not at all, also after a power cut: written beside their place, then renamed."""

from __future__ import annotations

import contextlib
import glob
import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

ABANDONED_AFTER_S = 86_400.0
"""A draft that nobody has written to for a day was left by a process that was killed."""


@contextlib.contextmanager
def replacement(path: Path, *, mode: int = 0o666) -> Iterator[Path]:
    """Yield an empty draft beside `path`; what the block writes to it takes the place of `path` at the end.

    If the block fails, `path` stays as it was and the draft is removed. `mode` is that of a new file, before the umask.

    Raises:
        OSError: the file system refuses.
    """
    _remove_abandoned_drafts(path)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode))
    try:
        yield draft
        _sync(draft)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    sync_directory(path.parent)


def write_bytes(path: Path, content: bytes, *, mode: int = 0o666) -> None:
    """Put `content` at `path`, as `replacement` does.

    Raises:
        OSError: the file system refuses.
    """
    with replacement(path, mode=mode) as draft:
        draft.write_bytes(content)


def sync_directory(path: Path) -> None:
    """Return once the renames in `path` would survive a power cut."""
    _sync(path)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove_abandoned_drafts(path: Path) -> None:
    for draft in path.parent.glob(f".{glob.escape(path.name)}.*.partial"):
        with contextlib.suppress(FileNotFoundError):  # it was finished, or another process has removed it
            if time.time() - draft.stat().st_mtime > ABANDONED_AFTER_S:
                draft.unlink()
