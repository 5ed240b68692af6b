"""The rows of the matrix, by component."""

from __future__ import annotations

from tests.faults.matrix import Row
from tests.faults.rows import clock, images, messages, model, postgresql, storage, sweeper, valkey, web, worker

ROWS: list[Row] = [
    row
    for component in (worker, web, sweeper, valkey, postgresql, storage, images, model, clock, messages)
    for row in component.ROWS
]
