"""The rows of the matrix, by component."""

from __future__ import annotations

from types import ModuleType

from tests.faults.matrix import Row
from tests.faults.rows import clock, images, messages, model, postgresql, storage, sweeper, valkey, web, worker


def _of(*components: ModuleType) -> list[Row]:
    return [row for component in components for row in component.ROWS]


ROWS = _of(worker, web, sweeper, valkey, postgresql, storage, images, model, clock, messages)

HALVES = (_of(worker, web, sweeper, model), _of(valkey, postgresql, storage, images, clock, messages))
"""For two test processes at the same time, each with a service of its own: faults of our processes, and of servers."""
