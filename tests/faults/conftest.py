"""What the two halves of the fault matrix share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.stacks import Stacks


@pytest.fixture(scope="module")
def stacks() -> Iterator[Stacks]:
    """The rows of a file share a running service of each kind."""
    with Stacks() as stacks:
        yield stacks
