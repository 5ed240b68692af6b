"""One run of rows of the fault matrix, with short leases, as `make test` makes it."""

from __future__ import annotations

import random

import pytest

from tests.faults.__main__ import run_seed
from tests.faults.matrix import Row
from tests.faults.profile import SHORT
from tests.faults.stack import Kind
from tests.faults.stacks import Stacks

SEED = random.SystemRandom().getrandbits(32)


def each(rows: list[Row]) -> pytest.MarkDecorator:
    """Run a test with each of `rows`, by its name."""
    return pytest.mark.parametrize("row", rows, ids=[row.name.replace(" ", "_") for row in rows])


def assert_nothing_is_lost_or_done_twice(stacks: Stacks, row: Row) -> None:
    database = row.short_on or row.databases[0]
    outcome = stacks.run(row, Kind(database, SHORT), run_seed(SEED, row, database))
    repeat = f"make faults ARGS=\"--short --database {database} --rows '{row.name}' --seed {SEED}\""
    assert not outcome.verdict.problems, f"{outcome.line()}\n{repeat}\n{outcome.log}"
    assert outcome.verdict.images >= SHORT.images - 2, "hardly an image was accepted: the run shows nothing"
