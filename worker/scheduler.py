"""What a worker does next with its batches, as rules alone: no thread, no clock, no database.

Three batches are under way at most, and one that preempts: while one is in the network, the next is being decoded and
the one before is stored. Whoever carries the actions out (worker/batching.py) asks for the next one when it is done.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Generic, TypeVar

Item = TypeVar("Item")


@dataclass(frozen=True, eq=False, slots=True)
class Batch(Generic[Item]):
    """Images that pass through the network together.

    Attributes:
        interactive: somebody waits for them.
        suspect: one of them was in work when a process died, so that nothing else may be under way beside them.
    """

    items: Sequence[Item]
    interactive: bool = False
    suspect: bool = False


class Nothing(Enum):
    """Why a claim gave no batch."""

    UNTIL_STORED = auto()
    """There may be more once all that was claimed is stored."""
    LEFT = auto()
    """There is no more, or no more may be claimed."""


@dataclass(frozen=True, slots=True)
class Claim:
    """Claim the next images and have them decoded; answered with `claimed`. `alone`: no others are under way."""

    alone: bool


@dataclass(frozen=True, slots=True)
class Preempt:
    """Claim interactive images that came in the meantime and have them decoded; answered with `preempted`."""


@dataclass(frozen=True, slots=True)
class Forward(Generic[Item]):
    """Give the batches to the network, in this order."""

    batches: tuple[Batch[Item], ...]


@dataclass(frozen=True, slots=True)
class Await(Generic[Item]):
    """Wait until the network is through with the batch."""

    batch: Batch[Item]


@dataclass(frozen=True, slots=True)
class Store(Generic[Item]):
    """Store the outcomes of the batch."""

    batch: Batch[Item]


class Scheduler(Generic[Item]):
    """Decides what is next; every batch it is given comes back in one `Forward`, one `Await` and one `Store`."""

    def __init__(self) -> None:
        self._waiting: deque[Batch[Item]] = deque()  # for the network, being decoded
        self._in_network: deque[Batch[Item]] = deque()
        self._finished: deque[Batch[Item]] = deque()  # and not stored
        self._preempting: tuple[Batch[Item], ...] = ()
        self._asked_before: Batch[Item] | None = None  # the batch before which interactive images were asked for
        self._claims_paused = False  # until nothing is under way
        self._claims_over = False

    def next(self) -> Claim | Preempt | Forward[Item] | Await[Item] | Store[Item] | None:
        """The next action, once the one before is done; None at the end.

        The network comes first: it gets its next batch before anything is stored or claimed, and is waited for only
        when there is nothing else to do.
        """
        if self._waiting and not self._in_network:
            return self._forward_or_preempt(self._waiting[0])
        if self._finished:
            return Store(self._finished.popleft())
        if not self._waiting and self._may_claim():
            return Claim(alone=not self._in_network)
        if self._in_network:
            self._finished.append(self._in_network.popleft())
            return Await(self._finished[-1])
        return None

    def claimed(self, batches: Sequence[Batch[Item]] | Nothing) -> None:
        """What `Claim` gave: batches that go to the network in this order."""
        if isinstance(batches, Nothing):
            self._claims_over = batches is Nothing.LEFT
            self._claims_paused = batches is Nothing.UNTIL_STORED
        else:
            self._waiting.extend(batches)
            self._claims_paused = any(batch.suspect for batch in batches)

    def preempted(self, batches: Sequence[Batch[Item]]) -> None:
        """What `Preempt` gave: batches that go to the network before the one that waits, or none."""
        self._preempting = tuple(batches)

    def _forward_or_preempt(self, batch: Batch[Item]) -> Preempt | Forward[Item]:
        if not (batch.interactive or batch.suspect) and self._asked_before is not batch:
            self._asked_before = batch
            return Preempt()
        self._waiting.popleft()
        self._in_network.extend((*self._preempting, batch))
        self._preempting = ()
        return Forward(tuple(self._in_network))

    def _may_claim(self) -> bool:
        """Called when nothing waits and all that is finished is stored: what is under way is in the network."""
        if not self._in_network:
            self._claims_paused = False
        return not (self._claims_over or self._claims_paused)
