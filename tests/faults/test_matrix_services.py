"""One run of every row of the fault matrix: what happens to our own processes. `make faults` runs them more often.

The other half is `test_matrix_servers.py`: a file stays in one process of a test run, and this takes minutes.
"""

from __future__ import annotations

import pytest

from tests.faults.matrix import Row
from tests.faults.rows import HALVES, ROWS
from tests.faults.short_pass import assert_nothing_is_lost_or_done_twice, each
from tests.faults.stacks import Stacks

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]


@each(HALVES[0])
def test_nothing_is_lost_or_done_twice(stacks: Stacks, row: Row) -> None:
    assert_nothing_is_lost_or_done_twice(stacks, row)


def test_every_row_has_a_name_and_is_in_one_half() -> None:
    names = [row.name for half in HALVES for row in half]
    assert len(names) == len(set(names))
    assert sorted(names) == sorted(row.name for row in ROWS)
