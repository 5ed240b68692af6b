"""The order of claims, passes and stores over a queue that is a list: nothing is dropped, interactive goes first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.scheduler import Await, Batch, Claim, Forward, Nothing, Preempt, Scheduler, Store

SIZE = 3
BULK, INTERACTIVE, SUSPECT = "bulk", "interactive", "suspect"


@dataclass(eq=False)
class Image:
    kind: str
    bulk_passes_since: int = 0
    """Batches of bulk images that went to the network while it was queued or claimed."""


@dataclass
class World:
    """A queue, and everything that a worker does; checks at each step what must hold then.

    At each step of the scheduler the next of `arrivals` is queued. `holds` are numbers of steps at which a claim waits
    until all is stored, as in an outage; from step `stops_at` on nothing is claimed.
    """

    arrivals: Sequence[Sequence[str]] = ()
    holds: frozenset[int] = frozenset()
    stops_at: int | None = None
    step: int = 0
    queue: list[Image] = field(default_factory=list)
    arrived: list[Image] = field(default_factory=list)
    under_way: list[Batch[Image]] = field(default_factory=list)
    forwarded: list[Batch[Image]] = field(default_factory=list)
    awaited: list[Batch[Image]] = field(default_factory=list)
    stored: list[Batch[Image]] = field(default_factory=list)
    actions: list[str] = field(default_factory=list)

    def run(self) -> World:
        scheduler: Scheduler[Image] = Scheduler()
        self._arrive()
        while (action := scheduler.next()) is not None:
            self.actions.append(type(action).__name__)
            match action:
                case Claim(alone):
                    assert alone == (not self.under_way)
                    scheduler.claimed(self._claim(alone=alone))
                case Preempt():
                    scheduler.preempted(self._take(INTERACTIVE))
                case Forward(batches):
                    self._forward(batches)
                case Await(batch):
                    self.awaited.append(batch)
                case Store(batch):
                    self.stored.append(batch)
                    self.under_way.remove(batch)
            assert sum(not batch.interactive for batch in self.under_way) <= 3
            assert len(self.under_way) == 1 or not any(batch.suspect for batch in self.under_way)
            self.step += 1
            self._arrive()
        return self

    def _arrive(self) -> None:
        if self.step < len(self.arrivals):
            new = [Image(kind) for kind in self.arrivals[self.step]]
            self.queue += new
            self.arrived += new

    def _claim(self, *, alone: bool) -> list[Batch[Image]] | Nothing:
        if self.stops_at is not None and self.step >= self.stops_at:
            return Nothing.LEFT
        if self.step in self.holds and not alone:
            return Nothing.UNTIL_STORED
        suspects = [image for image in self.queue if image.kind == SUSPECT]
        if suspects and not alone:
            return Nothing.UNTIL_STORED
        if suspects:
            return self._taken([suspects[:1]])
        interactive = [image for image in self.queue if image.kind == INTERACTIVE][:SIZE]
        bulk = [image for image in self.queue if image.kind == BULK][: SIZE - len(interactive)]
        return self._taken([interactive, bulk]) or Nothing.LEFT

    def _take(self, kind: str) -> list[Batch[Image]]:
        if self.stops_at is not None and self.step >= self.stops_at:
            return []
        return self._taken([[image for image in self.queue if image.kind == kind][:SIZE]])

    def _taken(self, parts: list[list[Image]]) -> list[Batch[Image]]:
        batches = [
            Batch(part, interactive=part[0].kind == INTERACTIVE, suspect=part[0].kind == SUSPECT)
            for part in parts
            if part
        ]
        self.queue = [image for image in self.queue if not any(image in batch.items for batch in batches)]
        self.under_way += batches
        return batches

    def _forward(self, batches: Sequence[Batch[Image]]) -> None:
        assert len(self.awaited) == len(self.forwarded), "the network was not free"
        for batch in batches:
            self.forwarded.append(batch)
            if not batch.interactive:
                for image in set(self.arrived) - set(images(self.forwarded)):
                    image.bulk_passes_since += 1


def images(batches: Sequence[Batch[Image]]) -> list[Image]:
    return [image for batch in batches for image in batch.items]


kinds = st.sampled_from([BULK, BULK, BULK, INTERACTIVE, SUSPECT])
arrivals = st.lists(st.lists(kinds, max_size=5), max_size=40)


@settings(max_examples=400, deadline=None)
@given(arrivals=arrivals, holds=st.frozensets(st.integers(0, 60)), stops_at=st.none() | st.integers(0, 60))
def test_what_is_claimed_is_stored_once_whatever_comes_when(
    arrivals: list[list[str]], holds: frozenset[int], stops_at: int | None
) -> None:
    world = World(arrivals, holds, stops_at).run()
    assert world.under_way == []
    assert world.forwarded == world.awaited == world.stored  # each once, and in this order
    assert len(images(world.stored)) + len(world.queue) == len(world.arrived)
    assert set(images(world.stored)).isdisjoint(world.queue)


@settings(max_examples=400, deadline=None)
@given(arrivals=st.lists(st.lists(st.sampled_from([BULK, BULK, INTERACTIVE]), max_size=SIZE), max_size=40))
def test_an_interactive_image_waits_for_one_bulk_batch_at_most(arrivals: list[list[str]]) -> None:
    world = World(arrivals).run()
    waited = [image.bulk_passes_since for image in images(world.stored) if image.kind == INTERACTIVE]
    assert max(waited, default=0) <= 1


def test_all_that_was_queued_at_first_is_stored_without_a_stop() -> None:
    world = World([[BULK] * 20]).run()
    assert world.queue == []
    assert [len(batch.items) for batch in world.stored] == [3] * 6 + [2]


def test_the_network_gets_its_next_batch_before_anything_is_stored_or_claimed() -> None:
    assert World([[BULK] * 9]).run().actions == [
        *("Claim", "Preempt", "Forward", "Claim", "Await"),
        *("Preempt", "Forward", "Store", "Claim", "Await"),
        *("Preempt", "Forward", "Store", "Claim", "Await"),
        "Store",
    ]


@pytest.mark.parametrize("step", range(4, 6))
def test_an_interactive_image_goes_before_the_bulk_batch_that_waits(step: int) -> None:
    world = World([[BULK] * 9, *[[]] * (step - 1), [INTERACTIVE]]).run()
    assert [batch.interactive for batch in world.forwarded] == [False, True, False, False]


def test_interactive_batches_do_not_preempt_one_another() -> None:
    world = World([[INTERACTIVE] * 6]).run()
    assert "Preempt" not in world.actions


def test_one_claim_of_both_priorities_makes_two_passes() -> None:
    world = World([[BULK, INTERACTIVE]]).run()
    assert [batch.interactive for batch in world.forwarded] == [True, False]


def test_a_suspect_waits_until_all_is_stored_and_then_goes_alone() -> None:
    world = World([[BULK] * 3, [SUSPECT], [SUSPECT], [BULK]]).run()
    assert [batch.suspect for batch in world.stored] == [False, True, True, False]


def test_after_a_stop_nothing_is_claimed_and_what_was_is_stored() -> None:
    world = World([[BULK] * 9], stops_at=3).run()
    assert [len(batch.items) for batch in world.stored] == [3]
    assert len(world.queue) == 6
