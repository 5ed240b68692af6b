"""Batches through the network: while one is in its forward pass, the next is decoding and the one before is stored.

Knows neither database nor queue: `pneumoscreen screen` runs the same code over files. What is next the scheduler says.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any, Generic, Protocol, TypeVar

from core.populations import Known
from model.loaded import LoadedModel
from worker import predict
from worker.predict import Decoded, Outcome, Pixels
from worker.scheduler import Await, Batch, Claim, Forward, Nothing, Preempt, Scheduler, Store

Item = TypeVar("Item")
Claimed = TypeVar("Claimed", bound="Sequence[Batch[Any]] | Nothing")


class Source(Protocol[Item]):
    """Where images come from and outcomes go. All but `read` is called by the thread that calls `screen`."""

    @property
    def model(self) -> LoadedModel:
        """What the next batch goes through; it may be another one than before."""
        ...

    def claim(self, *, alone: bool) -> Sequence[Batch[Item]] | Nothing:
        """The next images; `alone` when no others are under way."""
        ...

    def claim_interactive(self) -> Sequence[Batch[Item]]:
        """Interactive images that came in the meantime, if there are any."""
        ...

    def read(self, item: Item) -> Pixels:
        """Its preprocessed pixels, uint8 (224, 224), or a PneumoscreenError raised. Called by several threads."""
        ...

    def population(self, item: Item) -> Known | None:
        """What is known beforehand of whose image it is; None: the model has to tell."""
        ...

    def store(self, outcomes: Sequence[tuple[Item, Outcome]], model: LoadedModel) -> None:
        """Take the outcomes of a batch that went through `model`."""
        ...


def decoders(threads: int) -> ThreadPoolExecutor:
    """The pool that reads and decodes; with 0 `threads` one for each core that this process may use."""
    if threads == 0:
        threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return ThreadPoolExecutor(threads, thread_name_prefix="decode")


def screen(source: Source[Item], pool: Executor, network: Executor) -> None:
    """Screen until the source has nothing left: `pool` decodes, and the one thread of `network` runs the model.

    One bad image fails one image.

    Raises:
        DeviceLost: of the batch in the network and those behind it nothing is known.
    """
    scheduler: Scheduler[Item] = Scheduler()
    passes = _Passes(source, pool, network)
    try:
        while (action := scheduler.next()) is not None:
            match action:
                case Claim(alone):
                    scheduler.claimed(passes.decode(source.claim(alone=alone)))
                case Preempt():
                    scheduler.preempted(passes.decode(source.claim_interactive()))
                case Forward(batches):
                    passes.forward(batches)
                case Await(batch):
                    passes.wait_for(batch)
                case Store(batch):
                    source.store(*passes.outcomes(batch))
    finally:
        passes.cancel()


class _Passes(Generic[Item]):
    """The batches under way: first their images are being decoded, then they are in the network."""

    def __init__(self, source: Source[Item], pool: Executor, network: Executor) -> None:
        self._source = source
        self._pool = pool
        self._network = network
        self._decoding: dict[Batch[Item], list[Future[Decoded]]] = {}
        self._forwarded: dict[Batch[Item], tuple[LoadedModel, Future[list[Outcome]]]] = {}

    def decode(self, claimed: Claimed) -> Claimed:
        """Have the images of what was claimed decoded; returns it as it was given."""
        for batch in () if isinstance(claimed, Nothing) else claimed:
            self._decoding[batch] = [
                self._pool.submit(predict.decoded, self._source.read, item) for item in batch.items
            ]
        return claimed

    def forward(self, batches: Iterable[Batch[Item]]) -> None:
        for batch in batches:
            model = self._source.model
            known = [self._source.population(item) for item in batch.items]
            predicting = self._network.submit(predict.outcomes, self._decoding.pop(batch), known, model)
            self._forwarded[batch] = model, predicting

    def wait_for(self, batch: Batch[Item]) -> None:
        """Return once the network is through with the batch. Raises DeviceLost: only a new process can go on."""
        _, predicting = self._forwarded[batch]
        predicting.result()

    def outcomes(self, batch: Batch[Item]) -> tuple[list[tuple[Item, Outcome]], LoadedModel]:
        """Wait until the network is through with the batch; return each item's outcome, and the model it is of."""
        model, predicting = self._forwarded.pop(batch)
        return list(zip(batch.items, predicting.result(), strict=True)), model

    def cancel(self) -> None:
        """Take back what the network has not begun with: after an error nobody asks for it."""
        for _, predicting in self._forwarded.values():
            predicting.cancel()
