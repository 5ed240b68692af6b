"""Modules that are loaded when they are first used: for its help a command needs nothing of what it needs to run.

Python's own LazyLoader does that to modules which are imported as such (`from launcher import datadir`). A name that is
taken out of a module (`from launcher.datadir import prepare`) loads it at once.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import LazyLoader
from types import ModuleType

ROOMS = frozenset(
    {"cli", "client", "core", "db", "imaging", "launcher", "model", "services", "storage", "training", "web", "worker"}
)


class _Finder(MetaPathFinder):
    """Finds the modules of our rooms where the other finders do, and has them loaded later."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname.partition(".")[0] not in ROOMS:
            return None
        others = (finder for finder in sys.meta_path if finder is not self)
        spec = next((spec for finder in others if (spec := finder.find_spec(fullname, path, target))), None)
        if spec is not None and spec.loader is not None:
            spec.loader = LazyLoader(spec.loader)
        return spec


@contextmanager
def imports() -> Iterator[None]:
    """Defer what is imported inside the block, by it and by the modules that are loaded in it."""
    finder = _Finder()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
