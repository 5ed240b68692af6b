"""A store that is away is no fault of its images, unless it never comes back."""

from __future__ import annotations

from core.errors import CorruptImage, StorageUnavailable
from worker.outage import PATIENCE_S, Outage

AWAY = StorageUnavailable("Could not read the image storage: Input/output error.")


def test_a_batch_of_which_nothing_could_be_read_is_excused_for_a_while() -> None:
    clock_s = 1000.0
    outage = Outage(lambda: clock_s)
    assert outage.excuses([AWAY, AWAY])
    assert outage.lasts
    clock_s += PATIENCE_S - 1
    assert outage.excuses([AWAY])
    clock_s += 1
    assert not outage.excuses([AWAY])


def test_one_image_that_can_be_read_ends_the_outage() -> None:
    outage = Outage()
    outage.excuses([AWAY])
    assert not outage.excuses([AWAY, CorruptImage("It is damaged.")])
    assert not outage.lasts
