"""Batches through the network: while one is in its forward pass, the next is decoding and the one before is stored.

Knows neither database nor queue: `pneumoscreen screen` runs the same code over files.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Generic, TypeVar

import numpy as np
import structlog
from numpy.typing import NDArray

from core.errors import DeviceLost, OutOfMemory, PneumoscreenError, Transient
from model.decision import Prediction
from model.loaded import LoadedModel

Item = TypeVar("Item")
Pixels = NDArray[np.uint8]
Outcome = Prediction | PneumoscreenError
"""What the model says, or why it says nothing."""

log = structlog.get_logger()


class WorkerError(Transient):
    """Something that no code expected; tried again, since it may lie in the machine and not in the image."""

    code = "worker_error"


class _Decoding(Generic[Item]):
    """A batch whose images are being read and decoded by the pool."""

    def __init__(self, items: Sequence[Item], read: Callable[[Item], Pixels], pool: Executor) -> None:
        self.items = items
        self.futures: list[Future[Pixels | PneumoscreenError]] = [pool.submit(_guarded, read, item) for item in items]

    def results(self) -> list[Pixels | PneumoscreenError]:
        return [future.result() for future in self.futures]


def decoders(threads: int) -> ThreadPoolExecutor:
    """The pool that reads and decodes; with 0 `threads` one for each core that this process may use."""
    if threads == 0:
        threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return ThreadPoolExecutor(threads, thread_name_prefix="decode")


def nothing_urgent(_waiting: Sequence[Item]) -> Sequence[Item]:
    return ()


def screen_batches(
    batches: Iterable[Sequence[Item]],
    read: Callable[[Item], Pixels],
    model: LoadedModel,
    pool: Executor,
    network: Executor,
    overtake: Callable[[Sequence[Item]], Sequence[Item]] = nothing_urgent,
) -> Iterator[list[tuple[Item, Outcome]]]:
    """The outcomes of each batch, in order. One bad image fails one image.

    At most two batches are in memory, and an urgent one. While a batch is in the network the outcomes of the one before
    are given out, and then the next batch is asked for, so that storing the one and decoding the other cost no time of
    the network. An empty batch has no outcome: it asks for those of all before it.

    Raises:
        DeviceLost: of the batch in the network and those behind it nothing is known.

    Args:
        read: gives the preprocessed pixels of an item, uint8 (224, 224), or raises a PneumoscreenError.
        pool: runs `read`.
        network: one thread, which runs `model`.
        overtake: asked when a batch is next in the network, with this batch; what it gives goes first, so that it
            waits for the batch that ran when it came and not for the one behind that too.
    """
    its_batches = iter(batches)
    waiting: _Decoding[Item] | None = None
    finished: list[tuple[Item, Outcome]] | None = None
    under_way: list[Future[list[tuple[Item, Outcome]]]] = []
    try:
        while True:
            urgent = overtake(waiting.items) if waiting is not None else ()
            ready = [_Decoding(urgent, read, pool)] if urgent else []
            ready += [waiting] if waiting is not None else []
            under_way = [network.submit(_predict_batch, its, model) for its in ready]
            if finished is not None:
                yield finished
            items = next(its_batches, None)
            waiting = _Decoding(items, read, pool) if items else None
            for future in under_way[:-1]:
                yield future.result()
            finished = under_way[-1].result() if under_way else None
            if waiting is None and finished is not None:
                yield finished
                finished = None
            if items is None:
                return
    finally:
        for future in under_way:
            future.cancel()  # of what nobody will ask for any more


def _guarded(read: Callable[[Item], Pixels], item: Item) -> Pixels | PneumoscreenError:
    try:
        return read(item)
    except PneumoscreenError as error:
        return error
    except MemoryError:
        return OutOfMemory("There was not enough memory to decode the image.")
    except Exception as error:
        return _unexpected("The decoder", error)


def _predict_batch(decoding: _Decoding[Item], model: LoadedModel) -> list[tuple[Item, Outcome]]:
    results = decoding.results()
    good = [result for result in results if isinstance(result, np.ndarray)]
    outcomes = iter(_predict(np.stack(good), model) if good else [])
    return [
        (item, next(outcomes) if isinstance(result, np.ndarray) else result)
        for item, result in zip(decoding.items, results, strict=True)
    ]


def _predict(batch: NDArray[np.uint8], model: LoadedModel) -> list[Outcome]:
    """uint8 (N, 224, 224) -> N outcomes; halves the batch as long as the device has not enough memory for it.

    Raises:
        DeviceLost: no image is to blame, and none behind it would fare better.
    """
    try:
        return [_checked(prediction, model) for prediction in model.predict(batch)]
    except DeviceLost:
        raise
    except OutOfMemory as error:
        if len(batch) == 1:
            return [error]
        log.warning("batch_halved", images=len(batch))
    except Exception as error:
        return [_unexpected("The forward pass", error)] * len(batch)
    middle = len(batch) // 2
    return _predict(batch[:middle], model) + _predict(batch[middle:], model)


def _unexpected(what: str, cause: Exception) -> WorkerError:
    """Its `__cause__` is for the log of whoever knows which image it was."""
    error = WorkerError(f"{what} failed unexpectedly ({type(cause).__name__}).")
    error.__cause__ = cause
    return error


def _checked(prediction: Prediction, model: LoadedModel) -> Outcome:
    """A network that overflowed answers NaN, which is below every threshold and limit: it must not be read as
    `normal`, nor as an image like those that the model was made from.
    """
    if not 0 <= prediction.probability <= 1:
        return WorkerError("The model gave no probability between 0 and 1 for this image.")
    score = prediction.ood_score
    if model.ood_limit is not None and (score is None or not math.isfinite(score)):
        return WorkerError("The model could not tell whether this image is of the kind it was made for.")
    return prediction
