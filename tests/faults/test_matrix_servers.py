"""One run of every row of the fault matrix: what happens to Valkey, PostgreSQL, storage, clock, messages and images."""

from __future__ import annotations

import pytest

from tests.faults.matrix import Row
from tests.faults.rows import HALVES
from tests.faults.short_pass import assert_nothing_is_lost_or_done_twice, each
from tests.faults.stacks import Stacks

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]


@each(HALVES[1])
def test_nothing_is_lost_or_done_twice(stacks: Stacks, row: Row) -> None:
    assert_nothing_is_lost_or_done_twice(stacks, row)
