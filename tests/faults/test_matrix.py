"""One run of every row of the fault matrix, with short leases. `make faults` runs them longer and more often."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from tests.faults.__main__ import run_seed
from tests.faults.matrix import Row
from tests.faults.profile import SHORT
from tests.faults.rows import ROWS
from tests.faults.stack import Kind
from tests.faults.stacks import Stacks

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]

SEED = random.SystemRandom().getrandbits(32)


@pytest.fixture(scope="module")
def stacks() -> Iterator[Stacks]:
    """The rows share a running service of each kind."""
    with Stacks() as stacks:
        yield stacks


@pytest.mark.parametrize("row", ROWS, ids=[row.name.replace(" ", "_") for row in ROWS])
def test_nothing_is_lost_or_done_twice(stacks: Stacks, row: Row) -> None:
    database = row.short_on or row.databases[0]
    kind = Kind(database, SHORT)
    outcome = stacks.run(row, kind, run_seed(SEED, row, database))
    repeat = f"make faults ARGS=\"--short --database {database} --rows '{row.name}' --seed {SEED}\""
    assert not outcome.verdict.problems, f"{outcome.line()}\n{repeat}\n{outcome.log}"
    assert outcome.verdict.images >= SHORT.images - 2, "hardly an image was accepted: the run shows nothing"


def test_no_two_rows_have_the_same_name() -> None:
    assert len({row.name for row in ROWS}) == len(ROWS)
